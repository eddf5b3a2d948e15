"""A store whose storage fails at times."""

from collections.abc import Callable
from typing import Any

from trainables.results.store import Store

NO_SPACE = OSError(28, "No space left on device")


class FailingStore:
    """A store whose calls fail if `fails` says so, before or after they have done their work."""

    def __init__(self, store: Store, fails: Callable[[], bool]) -> None:
        self.store, self.uri, self.fails = store, store.uri, fails

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            before, after = self.fails(), self.fails()
            if before:
                raise NO_SPACE
            result = getattr(self.store, name)(*arguments)
            if after:
                raise NO_SPACE
            return result

        return call
