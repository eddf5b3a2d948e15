"""The control: the model as it is."""

from typing import Annotated

from trainables.methods.method import Inversion, Method, Rotate
from trainables.spec import later


class Strict(Method):
    """Train the strict model.

    Args:
        rotate, inversion: As in Relaxed; they only change rounding, unless the model is not equivariant.
    """

    def __init__(
        self,
        *,
        rotate: Annotated[Rotate, later()] = "none",
        inversion: Annotated[Inversion, later()] = False,
    ) -> None:
        self.rotate, self.inversion = rotate, inversion
