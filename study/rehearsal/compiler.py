"""Whether what `training.compile` needs is there."""

import os
import shutil

from trainables.errors import BadInput

USUAL = "g++"


def check_compiler() -> None:
    """Raise BadInput where torch.compile would find no C++ compiler; it takes the one that CXX names, or g++."""
    compiler = os.environ.get("CXX", USUAL)
    if shutil.which(compiler) is None:
        raise BadInput(
            f"training.compile: needs a C++ compiler, and there is no '{compiler}' here; install one, name another "
            "in the environment variable CXX, or leave the key out"
        )
