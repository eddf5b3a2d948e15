"""One text, and so one hash, for equal content. Loads neither torch nor ray."""

import hashlib
import json
from typing import Any

from trainables.results.renamed import with_first_names


def canonical_json(content: Any, allow_nan: bool = False) -> str:
    """JSON with sorted keys and no white space: equal content gives equal text.

    Raises:
        ValueError: If the content contains NaN or infinity and `allow_nan` is false.
    """
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=allow_nan)


def content_hash(content: Any, allow_nan: bool = False) -> str:
    """The SHA-256 of `canonical_json` as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(content, allow_nan).encode()).hexdigest()


def trial_id(spec: dict[str, Any]) -> str:
    """The id of a trial from the plain JSON content of its spec: 16 hexadecimal digits."""
    return content_hash(with_first_names(spec))[:16]
