"""A second process for work before a run that needs torch: the process that follows the trials never loads it."""

import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar, cast

from trainables.errors import BadInput, brief

Given = ParamSpec("Given")
Result = TypeVar("Result")
SECONDS_TO_END = 2.0
"""How long the process may take to clean up: Python warns about semaphores that a killed one leaves behind."""


class Planner:
    """Calls functions one after the other in a second process, while this process continues.

    A context manager that ends the process, even in the middle of a call.
    """

    def __enter__(self) -> "Planner":
        """Start the process."""
        self.pipe, other_end = get_context("spawn").Pipe()
        self.process = get_context("spawn").Process(target=_serve, args=(other_end,), name="planner")
        before = signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # Ctrl-C is for this process, which ends the other
        try:
            self.process.start()
        finally:
            signal.signal(signal.SIGINT, before)
        other_end.close()
        return self

    def begin(
        self, work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Callable[[], Result]:
        """Begin a call, and return the function that waits for its result.

        Args:
            work: A module-level function with arguments and a result that can be pickled. The returned function
                raises its exceptions.
        """
        with suppress(OSError):  # the process has ended, which `result` will report
            self.pipe.send((work, args, kwargs))

        def result() -> Result:
            worked, value = self._received()
            if worked:
                return cast(Result, value)
            raise value

        return result

    def _received(self) -> tuple[bool, Any]:
        try:
            worked, value = self.pipe.recv()
        except (EOFError, OSError) as error:
            self.process.join()
            raise BadInput(
                f"CONFIG: the process that plans and checks trials ended with code {self.process.exitcode}; give it "
                "more memory, or check whether one of your modules ends the process"
            ) from error
        return worked, value

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self.process.terminate()
        self.process.join(SECONDS_TO_END)
        self.process.kill()
        self.process.join()
        self.pipe.close()

    def __exit__(self, *unused: object) -> None:
        """End the process."""
        self.end()


def _serve(pipe: Connection) -> None:
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit())
    while True:
        try:
            work, args, kwargs = pipe.recv()
        except EOFError:
            return
        try:
            answer = True, work(*args, **kwargs)
        except Exception as error:
            if not isinstance(error, BadInput):
                error.add_note(traceback.format_exc())  # pickling loses the traceback
            answer = False, error
        try:
            pipe.send(answer)
        except BrokenPipeError:
            return
        except Exception as error:  # the answer cannot be pickled
            pipe.send((False, RuntimeError(brief(error))))
