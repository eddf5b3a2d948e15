"""Checks of a node before the first trial; runs on the node, as a Ray task."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FREE_GB = 1.0


@dataclass(frozen=True)
class Question:
    """The question sent to each node.

    Attributes:
        results: URI of the results folder.
        token: Name and content of a file that the driver wrote there.
        tasks: Resolved descriptions of the tasks whose files the node must have.
        versions: Versions of the driver.
        gpus: GPUs of a trial that may run on the node.
    """

    results: str
    token: str
    data_folder: str
    tasks: list[dict[str, Any]]
    versions: dict[str, str]
    gpus: float = 0.0


def complaints(question: Question) -> list[str]:
    """Reasons why this node cannot run trials of the study: a line each with the key and the remedy."""
    try:
        import torch  # noqa: F401

        here = versions_here()
    except Exception as error:  # a broken installation may raise anything
        return [f"this project cannot be imported on this node ({_line(error)}); install it as on the driver"]
    differing = [
        f"{name} is {here.get(name, 'missing')}, the driver has {version}; install the same version on both"
        for name, version in question.versions.items()
        if here.get(name) != version
    ]
    return [
        *differing,
        *_gpu_complaints(question),
        *_results_complaints(question),
        *_data_complaints(question),
    ]


def _gpu_complaints(question: Question) -> list[str]:
    import torch

    if question.gpus == 0 or torch.version.cuda is not None:
        return []
    remedy = "install a build with CUDA, or set resources.gpus to 0"
    return [f"resources.gpus: torch {torch.__version__} on this node is built without CUDA; {remedy}"]


def versions_here() -> dict[str, str]:
    """Versions of everything that affects numbers; this project's includes a hash of its code."""
    from trainables.results.versions import code_hash, versions

    found = dict(versions())
    project = found.pop("equivariance-study")
    return {**found, "this project": f"{project} ({code_hash()})"}


def _results_complaints(question: Question) -> list[str]:
    from trainables.results.store import open_store

    uri, reply = question.results, f"{question.token}-{os.getpid()}"
    try:
        store = open_store(uri)
        shared = store.read(question.token) == question.token.encode()
    except FileNotFoundError:
        shared = False
    except Exception as error:  # pyarrow and the operating system have many names for no access
        return [
            f"--results: {uri} cannot be read from this node ({_line(error)}); check access and credentials"
        ]
    if not shared:
        remedy = "use s3:// or a file system that all nodes mount"
        return [f"--results: {uri} is a different folder on this node; {remedy}"]
    try:
        store.write(reply, b"")
        store.delete(reply)
    except Exception as error:
        return [f"--results: {uri} cannot be written from this node ({_line(error)}); check its permissions"]
    return [] if "://" in uri else _space_complaints("--results", Path(uri))


def _data_complaints(question: Question) -> list[str]:
    from trainables.errors import BadInput
    from trainables.tasks.files import check_files

    folder = Path(question.data_folder).expanduser()
    try:
        for task in question.tasks:
            check_files(task, folder)
    except BadInput as error:
        return [f"--data-dir: {error}"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or error
        return [f"--data-dir: {folder} cannot be written on this node ({reason}); choose another"]
    return _space_complaints("--data-dir", folder)


def _space_complaints(key: str, folder: Path) -> list[str]:
    free = shutil.disk_usage(folder).free / 1e9
    if free >= FREE_GB:
        return []
    return [
        f"{key}: {folder} has {free:.2f} GB of free disk space on this node, less than {FREE_GB:g}; make room"
    ]


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
