"""Tables and figures, written in the formats that their files name."""

import pandas as pd
import pytest
from matplotlib.figure import Figure

from cmrslices.presentation.figures import write_figure
from cmrslices.presentation.writing import write_table

NUMBERS = pd.DataFrame({"label": ["LVM"], "mean": [81.2345678]})
CELLS = pd.DataFrame({"Label": ["LVM"], "Mean": ["81.23"]})


def written(folder, *endings, **options):
    files = [folder / f"table.{ending}" for ending in endings]
    write_table(files, NUMBERS, "Table 9", "DSC (%).", CELLS, **options)
    return [file.read_text() for file in files]


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        ("csv", "label,mean\nLVM,81.2346\n"),
        ("md", "| LVM     | 81.23  |"),
        ("html", "<h1>Table 9</h1>\n<p>DSC (%).</p>"),
        ("tex", r"LVM & 81.23 \\"),
    ],
)
def test_the_ending_of_a_file_names_its_format(tmp_path, ending, expected):
    (text,) = written(tmp_path, ending)
    assert expected in text


def test_only_the_files_that_are_named_are_written(tmp_path):
    written(tmp_path, "csv", "md")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["table.csv", "table.md"]


def test_a_table_with_a_label_is_numbered_in_markdown(tmp_path):
    (numbered,) = written(tmp_path, "md", label="tab:nine")
    (plain,) = written(tmp_path, "md")
    assert numbered.startswith("Table 9. DSC (%).\n")
    assert plain.startswith("DSC (%).\n")


def test_the_label_is_latexs(tmp_path):
    (text,) = written(tmp_path, "tex", label="tab:nine")
    assert r"\label{tab:nine}" in text


def test_bold_cells_are_bold_in_every_format_for_readers(tmp_path):
    texts = written(tmp_path, "md", "html", "tex", bold=pd.DataFrame({"Mean": [True]}))
    for text, expected in zip(texts, ("**81.23**", "<b>81.23</b>", r"\textbf{81.23}"), strict=True):
        assert expected in text


def test_an_unknown_ending_is_refused(tmp_path):
    with pytest.raises(KeyError, match="docx"):
        written(tmp_path, "docx")


def test_a_figure_is_written_as_picture_and_as_page(tmp_path):
    files = [tmp_path / f"figure.{ending}" for ending in ("png", "pdf", "html")]
    write_figure(files, "Figure 9", Figure())
    png, pdf, page = (file.read_bytes() for file in files)
    assert (png[:4], pdf[:4]) == (b"\x89PNG", b"%PDF")
    assert b"<h1>Figure 9</h1>" in page
    assert b"data:image/webp" in page
