"""Packed files from untrusted sources: any fault is BadInput, and a small file takes little memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from trainables.errors import BadInput

SMALL = 100_000_000  # bytes that any machine can spare
LARGEST_RATIO = 200  # of genuine data, of which integer labels are the most compressible


@contextmanager
def opened_archive(path: Path) -> Iterator[NpzFile]:
    """The numpy archive at `path`; FileNotFoundError if absent, BadInput for any other error in the block."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            check_unpacked_size(sum(member.file_size for member in archive.zip.infolist()), path)
            yield archive
    except (BadInput, FileNotFoundError):
        raise
    except Exception as error:  # zipfile, zlib and numpy may raise anything on a damaged file
        raise BadInput(f"{path}: not a numpy archive, or cut short ({error})") from error


def check_unpacked_size(size: int, path: Path) -> None:
    """Raise BadInput if `size` unpacked bytes cannot be the genuine content of the file."""
    packed = path.stat().st_size
    if size > max(SMALL, LARGEST_RATIO * packed):
        raise BadInput(
            f"{path}: {packed / 1e6:.3g} MB that claim to contain {size / 1e9:.3g} GB; the file is damaged"
        )
