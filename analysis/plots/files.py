"""A figure as files, the same bytes for the same figure."""

import io
import warnings
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.text import Text

from analysis.plots.labels import fitting
from analysis.plots.style import LOOK

FORMATS: dict[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None}},
    "pdf": {"metadata": {"CreationDate": None}},
    "png": {"pil_kwargs": {"compress_level": 4}},
}


def figure_files(figure: Figure) -> dict[str, bytes]:
    """The figure as svg, pdf and png; the same figure gives the same bytes."""
    files = {}
    with mpl.rc_context(LOOK), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        for text in figure.findobj(Text):
            text.set_text(fitting(text.get_text()))
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.execute(figure)
            figure.set_layout_engine(None)  # laid out once for all formats
        for kind, options in FORMATS.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, **options)
            files[kind] = buffer.getvalue()
    return files
