"""A device that computes nothing and detects what a real one would have to wait for.

PyTorch lets a program register a device of another kind, and fake tensors, which have a shape, a type and a device
but no content, can be placed on it. So a training step runs from end to end without a GPU, and each of its operations
is seen with the devices of its tensors. These faults are noted:

    wait   the host asks for a number or a shape that only the device knows
    copy   a tensor goes from the host to the device, or back
    mix    an operation gets tensors of both; a device accepts only numbers, tensors without axes, from the host

The device stays registered for the whole process, so this belongs in a separate process.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch._subclasses.fake_tensor import (
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
    unset_fake_temporarily,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "fake"


class Accelerator(TorchDispatchMode):
    """Inside `with`, tensors may be on `device`; `watch` lists what is wrong with the operations of a block."""

    def __init__(self) -> None:
        super().__init__()
        self.device = torch.device(NAME, 0)
        self.noted: list[str] = []
        self.watching = False
        # Tensors made outside this mode, such as the constants of a network, count as the host's.
        self.fakes = FakeTensorMode(allow_non_fake_inputs=True)

    def __enter__(self) -> "Accelerator":
        self.fakes.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self.fakes.__exit__(*error)

    @contextmanager
    def watch(self) -> Iterator[list[str]]:
        """The faults noted in the operations of the block."""
        self.noted, self.watching = [], True
        try:
            yield self.noted
        finally:
            self.watching = False

    def note(self, fault: str) -> None:
        if self.watching:
            self.noted.append(fault)

    def __torch_dispatch__(
        self,
        operation: Any,
        types: Any,
        arguments: tuple[Any, ...] = (),
        keywords: dict[str, Any] | None = None,
    ) -> Any:
        keywords = dict(keywords or {})
        tensors = [leaf for leaf in tree_leaves((arguments, keywords)) if isinstance(leaf, torch.Tensor)]
        devices = {tensor.device.type for tensor in tensors if tensor.ndim or tensor.device.type == NAME}
        name = operation.name().removeprefix("aten::")
        if operation is torch.ops.aten._local_scalar_dense.default and devices == {NAME}:
            self.note(f"wait: {name}")
            with unset_fake_temporarily():
                return torch.ones((), dtype=tensors[0].dtype).item()
        if name.startswith("copy_") or name.startswith("_to_copy"):
            target = keywords.get("device") or arguments[0].device
            if {tensors[-1].device.type, target.type} == {NAME, "cpu"}:
                self.note(f"copy: {name} from {tensors[-1].device.type} to {target.type}")
        elif len(devices) > 1:
            self.note(f"mix: {name}")
        if not on_device(arguments, keywords):
            with unset_fake_temporarily():
                return operation(*arguments, **keywords)
        if "generator" in keywords:  # only real devices have generators
            keywords["generator"] = None
        arguments, keywords = tree_map_only(torch.Tensor, self._fake, (arguments, keywords))
        try:
            return operation(*arguments, **keywords)
        except DynamicOutputShapeException:
            self.note(f"wait: {name} decides a shape")
            raise

    def _fake(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor if isinstance(tensor, FakeTensor) else self.fakes.from_tensor(tensor)


def on_device(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> bool:
    """Whether an operation involves the device; the host runs all others as usual."""
    return any(
        isinstance(leaf, FakeTensor) or (isinstance(leaf, torch.device) and leaf.type == NAME)
        for leaf in tree_leaves((arguments, keywords))
    )


class OnDevice(torch.Generator):
    """A generator that claims to be on the device."""

    @property
    def device(self) -> torch.device:
        return torch.device(NAME, 0)


def register(accelerator: Callable[[], Accelerator] = Accelerator) -> Accelerator:
    """Register the device with PyTorch, once per process."""

    class Module:
        """The interface that PyTorch requires of a device's module."""

        def is_initialized(self) -> bool:
            return True

        def is_available(self) -> bool:
            return True

        def current_device(self) -> int:
            return 0

        def device_count(self) -> int:
            return 1

        def _is_in_bad_fork(self) -> bool:
            return False

        def manual_seed_all(self, seed: int) -> None:
            pass

        def get_amp_supported_dtype(self) -> list[torch.dtype]:
            return [torch.bfloat16]

    _setup_privateuseone_for_python_backend(NAME, backend_module=Module())
    made = accelerator()

    def as_list(tensor: FakeTensor) -> Any:
        # A real device copies the whole list at once, whereas fake tensors request its numbers one by one.
        if tensor.device.type == NAME:
            made.note("wait: tolist")
        with unset_fake_temporarily():
            return torch.ones(tensor.shape).tolist()

    FakeTensor.tolist = as_list
    return made
