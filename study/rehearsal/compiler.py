"""Whether the compiler that `training.compile` needs is available."""

import os
import shutil

from trainables.errors import BadInput

USUAL = "g++"


def check_compiler() -> None:
    """Raise BadInput if torch.compile would find no C++ compiler; it uses the one that CXX names, or g++."""
    compiler = os.environ.get("CXX", USUAL)
    if shutil.which(compiler) is None:
        raise BadInput(
            f"training.compile: needs a C++ compiler, but '{compiler}' is not installed; install it, name another "
            "in the environment variable CXX, or leave the key out"
        )
