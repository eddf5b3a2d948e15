"""Human-readable numbers."""

import math
import re
import zlib

import pandas as pd
import pytest
from matplotlib.figure import Figure

from analysis.formats import interval, mean_and_sd, metric, number, percent, points, rate
from analysis.plots.axes import rate_axis
from analysis.plots.files import figure_files
from analysis.plots.heatmaps import heat_maps
from analysis.plots.style import styled


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (4.84e-4, 9.0e-5, 8.8e-4, "0.00048 [0.00009, 0.00088]"),
        (-0.0123, -0.0131, -0.0115, "−0.01230 [−0.01310, −0.01150]"),
        (-0.001, -0.3, 0.3, "0.00 [−0.30, 0.30]"),
        (1234.0, 1000.0, 1500.0, "1,234 [1,000, 1,500]"),
        (0.5, 0.5, 0.5, "0.500 [0.500, 0.500]"),
        (0.5, math.nan, 0.7, "0.500"),
        (math.nan, 0.1, 0.7, "–"),
    ],
)
def test_an_interval_has_the_decimals_that_its_width_justifies(value, low, high, text):
    assert interval(value, low, high) == text


def test_an_interval_of_percentages():
    assert interval(0.004, 0, 0.05, percent) == "<1% [0%, 5%]"


def test_mean_and_sd_have_the_same_decimals():
    assert mean_and_sd(0.012361, 3.75e-4) == "0.01236 ± 0.00038"
    assert mean_and_sd(0.012361, math.nan) == "0.0124"


def test_some_is_neither_none_nor_all():
    assert [percent(share) for share in (0.0, 0.001, 0.5, 0.999, 1.0)] == ["0%", "<1%", "50%", ">99%", "100%"]


def test_negative_numbers_have_a_minus_sign():
    assert (number(-1.5e-5), points(-0.04)) == ("−1.50e-5", "−4")


def test_learning_rates_are_written_as_one_types_them():
    rates = {
        1e-3: "1e-3",
        0.03162: "3.2e-2",
        0.01: "1e-2",
        0.5: "5e-1",
        1.0: "1",
        9.96: "10",
        9.96e-4: "1e-3",
    }
    assert {value: rate(value) for value in rates} == rates
    assert rate(math.nan) == "–"


def test_axes_and_heat_maps_write_learning_rates_alike():
    grid = [1e-3, 0.03162, 1.0]
    figure = heat_maps(pd.DataFrame({"case": "c", "arm": "a", "lr": grid, "loss": 0.1, "failed": False}))
    axes = Figure().subplots()
    rate_axis(axes, grid)
    on_axis = [axes.xaxis.get_major_formatter()(value) for value in grid]
    on_map = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert on_axis == on_map == ["1e-3", "3.2e-2", "1"]


def test_metrics_have_human_readable_names():
    assert [metric(name) for name in ("mse", "force_mae", "accuracy")] == ["MSE", "force MAE", "accuracy"]


def test_pdf_figures_contain_no_type_3_font():
    figure = styled(Figure)()
    figure.subplots().set_title("learning rate α")
    kinds = font_kinds(figure_files(figure)["pdf"])
    assert "CIDFontType2" in kinds  # TrueType
    assert "Type3" not in kinds


def font_kinds(pdf):
    """The subtypes of all objects of a PDF, including those in compressed streams."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    texts = [pdf, *(zlib.decompressobj().decompress(each) for each in streams if each[:1] == b"x")]
    return {kind.decode() for text in texts for kind in re.findall(rb"/Subtype\s*/(\w+)", text)}


def test_a_constant_heat_map_is_neither_best_nor_worst():
    table = {"arm": ["a", "b"], "lr": [0.1, 0.1], "loss": [0.11, 0.11], "failed": [True, False]}
    figure = heat_maps(pd.DataFrame(table).assign(case="c"))
    image = figure.axes[1].images[0]
    assert image.norm(0.11) == 0.5
