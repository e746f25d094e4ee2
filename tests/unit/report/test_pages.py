"""Tables and figures as HTML pages that stand alone."""

import re
from html.parser import HTMLParser

import pandas as pd

from cmrslices.presentation import pages

REFERENCES = {"src", "href"}
VOID = {"meta", "img"}


class Page(HTMLParser):
    """The cells, row by row, what each tag refers to, and the tags that are left open."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.references, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.references += [value for name, value in attributes if name in REFERENCES]
        self.open += [tag] * (tag not in VOID)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"th", "td"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"th", "td"} & set(self.open):
            self.rows[-1][-1] += data


def test_a_table_has_its_cells_in_their_places():
    cells = pd.DataFrame({"Label": ["LVBP", "LVM"], "Base": ["81.20* (3.10)", ""]})
    page = Page(pages.table_page("Table 1", "DSC", cells))
    assert page.rows == [["Label", "Base"], ["LVBP", "81.20* (3.10)"], ["LVM", ""]]
    assert page.open == []


def test_bold_cells_are_bold_and_no_others():
    cells = pd.DataFrame({"a": ["1.00", "2.00"], "b": ["3.00", "4.00"]})
    assert pages.table(cells, pd.DataFrame({"b": [False, True]})).count("<b>") == 1
    assert "<b>4.00</b>" in pages.table(cells, pd.DataFrame({"b": [False, True]}))


def test_an_upper_header_spans_the_columns_below_it():
    columns = pd.MultiIndex.from_tuples([("", "Approach"), ("LVBP", "Base"), ("LVBP", "Apex"), ("LVM", "Base")])
    text = pages.table(pd.DataFrame([["A", "1", "2", "3"]], columns=columns))
    assert 'colspan="2">LVBP<' in text
    assert Page(text).rows[:2] == [["", "LVBP", "LVM"], ["Approach", "Base", "Apex", "Base"]]


def test_text_is_never_read_as_html():
    hostile = "<script>alert(1)</script> & more"
    cells = pd.DataFrame({hostile: [hostile]})
    text = pages.page(hostile, pages.heading(hostile), pages.paragraph(hostile), pages.table(cells))
    assert "<script" not in text
    assert Page(text).rows == [[hostile], [hostile]]


def test_rows_of_one_group_are_told_from_the_next():
    grouped = pages.table(pd.DataFrame({"Dataset": ["NHS", "", "ACDC", ""], "n": list("1234")}))
    assert re.findall(r"\.row(\d+) {", grouped) == ["0", "2"]
    assert not re.search(r"\.row\d+ {", pages.table(pd.DataFrame({"Dataset": ["NHS", "ACDC"], "n": list("12")})))


def test_a_figure_page_holds_its_picture():
    page = Page(pages.figure_page("Figure 2", b"picture"))
    assert page.references == ["data:image/webp;base64,cGljdHVyZQ=="]
