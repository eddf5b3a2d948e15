"""The code outside this project that a spec names: in a stranger's folder nothing of it may run unasked."""

from collections.abc import Iterator, Sequence
from typing import Any

from trainables.errors import BadInput
from trainables.registry import REGISTRY

SAFE = ("trainables.models.", "trainables.relaxation.")
"""Networks and schedules, which are there to be named. The rest of the project can copy, delete, download."""
OURS = {path for named in REGISTRY.values() for path in named.values()}


def refuse_foreign(spec: dict[str, Any], allowed: Sequence[str]) -> None:
    """Let a spec through that names no code but this project's own and what the user allows.

    Args:
        spec: as it lies in the folder, not validated: that alone would import the optimizer
        allowed: modules, such as package.module

    Raises:
        BadInput: it names other code; the message says which, and how to allow it.
    """
    foreign = [name for name in dict.fromkeys(_named(spec)) if name.partition(":")[0] not in allowed]
    if foreign:
        options = " ".join(
            f"--allow {module}" for module in dict.fromkeys(n.partition(":")[0] for n in foreign)
        )
        raise BadInput(
            f"TRIAL: its spec names code outside this project, {', '.join(foreign)}, which training would run; "
            f"if you trust it, add {options}"
        )


def _named(value: Any) -> Iterator[str]:
    """Every text of a spec that an import could be made of, wherever it stands: those of the project apart."""
    match value:
        case dict():
            for part in value.values():
                yield from _named(part)
        case list():
            for part in value:
                yield from _named(part)
        case str() if ":" in value and value not in OURS and not value.startswith(SAFE):
            yield value
