"""Notebooks on a results folder, executed without a browser: failure rates, learning rates, accuracy, schedules."""

import os
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.results.pack import open_source
from trainables.results.store import Store, open_store

if TYPE_CHECKING:
    from nbformat import NotebookNode

NAMES = ("failure_rates", "learning_rate_sensitivity", "accuracy_tables", "schedules")
SECONDS = 600


def execute_notebooks(folder: str | Path, write_to: str | Path | Store) -> list[str]:
    """Execute every notebook on a results folder, URI or packed file; returns the paths written below `write_to`.

    Each is written as report/notebooks/NAME.ipynb and .html.

    Raises:
        ValueError: If a notebook fails, which the message names, or the folder is not a results folder.
        FileNotFoundError: If there is no such folder.
    """
    import nbformat

    open_source(folder)
    store = open_store(write_to) if isinstance(write_to, str | Path) else write_to
    source = str(folder) if "://" in str(folder) else str(Path(folder).expanduser().resolve())
    written = []
    for name in NAMES:
        notebook = read_notebook(name)
        for cell in notebook.cells:
            if "parameters" in cell.metadata.get("tags", []):
                cell.source = f"folder = {source!r}"
        execute(notebook, name)
        for kind, text in (("ipynb", nbformat.writes(notebook)), ("html", as_page(notebook))):
            written.append(f"report/notebooks/{name}.{kind}")
            store.write(written[-1], text.encode())
    return written


def read_notebook(name: str) -> "NotebookNode":
    """A notebook as published, on the reference study."""
    import nbformat

    return nbformat.reads((files(__name__) / f"{name}.ipynb").read_text(), as_version=4)


def execute(notebook: "NotebookNode", name: str) -> None:
    """Run the cells in this interpreter's environment and keep their outputs; ValueError if one fails."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    # Without any folder of installed kernels, the only kernel is this interpreter, with its current packages.
    # Communication is through files, not ports that others on this machine could reach.
    specs = KernelSpecManager(kernel_dirs=[])
    kernel = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs, transport="ipc")
    package_root = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")]))
    client = NotebookClient(notebook, km=kernel, timeout=SECONDS)
    client.owns_km = True  # else the kernel would keep running until this process ends
    try:
        client.execute(env={**os.environ, "PYTHONPATH": paths})
    except CellExecutionError as error:
        raise ValueError(f"notebook {name}: {error.ename}: {error.evalue}") from error
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata.language_info = {"name": "python", "version": sys.version.split()[0]}


def as_page(notebook: "NotebookNode") -> str:
    """An executed notebook as HTML that loads nothing from outside."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        mathjax_url="", require_js_url="", jquery_url="", mermaid_js_url="", embed_images=True
    )
    page, _ = exporter.from_notebook_node(notebook)
    return page
