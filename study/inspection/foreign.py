"""The code outside this project that a spec names; none of it may run unless the user allows it."""

from collections.abc import Iterator, Sequence
from typing import Any

from trainables.errors import BadInput
from trainables.registry import REGISTRY

SAFE = ("trainables.models.", "trainables.relaxation.")
"""Networks and schedules, which specs are meant to name. The rest of the project can copy, delete, download."""
OURS = {path for named in REGISTRY.values() for path in named.values()}


def refuse_foreign(spec: dict[str, Any], allowed: Sequence[str]) -> None:
    """Accept a spec only if the code it names belongs to this project or is allowed by the user.

    Args:
        spec: As stored in the folder, not validated, since validation would import its optimizer.
        allowed: Modules, such as package.module.

    Raises:
        BadInput: If it names other code; the message says which, and how to allow it.
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
    """Every string in a spec that could be imported, except those of this project."""
    match value:
        case dict():
            for part in value.values():
                yield from _named(part)
        case list():
            for part in value:
                yield from _named(part)
        case str() if ":" in value and value not in OURS and not value.startswith(SAFE):
            yield value
