"""Keeps the memory of large tensors in the process for the duration of a trial.

glibc returns a block above 32 MiB to the kernel when it is freed and requests it again at the next step, and
the kernel clears every page again: half the CPU time of a training step on 20 graphs of 100 bodies. The
thresholds are set with mallopt(3), which takes effect in a process that is already running, on any node,
without environment variables.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Parameters of mallopt (glibc's malloc.h), and values that no training reaches.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
NEVER, PAD = 2**31 - 1, 64 * 2**20
M_MMAP_THRESHOLD_LARGEST = 2**30
OTHER_ALLOCATORS = ("jemalloc", "tcmalloc", "mimalloc")


@contextmanager
def large_tensors_kept() -> Iterator[bool]:
    """Keep freed memory while the block runs, then return it to the system; yields whether this is in effect.

    It is not if another allocator is loaded, if the user has set glibc's variables (MALLOC_*,
    GLIBC_TUNABLES), or if the C library is not glibc.
    """
    libc = _glibc() if _ours_to_set(os.environ) else None
    if libc is None:
        yield False
        return
    libc.mallopt(M_MMAP_THRESHOLD, M_MMAP_THRESHOLD_LARGEST)
    libc.mallopt(M_TRIM_THRESHOLD, NEVER)
    libc.mallopt(M_TOP_PAD, PAD)
    try:
        yield True
    finally:
        # So that this trial's memory does not count against the next one in this worker.
        libc.malloc_trim(0)


def _ours_to_set(environment: os._Environ[str] | dict[str, str]) -> bool:
    preloaded = environment.get("LD_PRELOAD", "")
    chosen = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in environment)
    return not chosen and not any(name in preloaded for name in OTHER_ALLOCATORS)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "gnu_get_libc_version") and hasattr(libc, "mallopt") else None
