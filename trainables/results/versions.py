"""Versions of the software that determines a trial's numbers. Loads none of it."""

import hashlib
import platform
from functools import lru_cache
from importlib import metadata
from pathlib import Path


@lru_cache
def versions() -> dict[str, str]:
    """Versions of Python, this project and the packages that compute."""
    packages = ("equivariance-study", "torch", "e3nn", "numpy", "ray")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}}


@lru_cache
def code_hash() -> str:
    """Eight hexadecimal digits for the code of `trainables`, which changes more often than its version."""
    root = Path(__file__).parents[1]
    code = hashlib.sha256()
    for name in sorted(path.relative_to(root).as_posix() for path in root.rglob("*.py")):
        code.update(name.encode() + (root / name).read_bytes())
    return code.hexdigest()[:8]
