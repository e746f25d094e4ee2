"""What all figures have in common."""

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from cmrslices.presentation import figures


def drawn_with_legend(labels):
    """A figure of the page's width, and the legend below its panel."""
    with figures.print_style():
        figure = Figure(figsize=figures.size_inches(60))
        figure.subplots()
        figures.legend_below(figure, [figures.legend_line(label, *figures.looks([label])[label]) for label in labels])
    (legend,) = figure.legends
    return figure, legend


@pytest.mark.parametrize("length", [5, 50, 80, 110])
def test_a_legend_with_long_names_stays_on_the_page(length):
    figure, legend = drawn_with_legend(["x" * length] * 9)
    assert legend.get_window_extent().width <= figure.bbox.width


def test_the_figure_grows_by_its_legend_so_that_panels_keep_their_height():
    figure, legend = drawn_with_legend(["a name"] * 30)
    millimetres = figures.MM_PER_INCH * figure.get_size_inches()[1]
    assert millimetres == pytest.approx(60 + figures.MM_PER_INCH * legend.get_window_extent().height / figure.dpi)


def test_no_setting_of_another_library_changes_a_figure():
    expected = drawn_with_legend(["a name"])[1].get_window_extent().bounds
    with mpl.rc_context({"legend.fontsize": 30, "font.size": 30}):
        assert drawn_with_legend(["a name"])[1].get_window_extent().bounds == expected


def test_short_names_stand_in_three_columns():
    figure, legend = drawn_with_legend(["a name"] * 9)
    figure.draw_without_rendering()
    assert len({round(text.get_window_extent().x0) for text in legend.get_texts()}) == 3
