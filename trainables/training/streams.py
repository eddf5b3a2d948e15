"""Random numbers: one independent stream for each purpose and epoch, all determined by the trial's seed.

A resumed trial draws the same numbers as an uninterrupted one, without any generator state in its checkpoint.
"""

import hashlib

import torch


def stream_seed(seed: int, purpose: str, index: int = 0) -> int:
    """An integer below 2**63 for this seed, purpose and index (such as the epoch)."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def stream(seed: int, purpose: str, index: int = 0, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator on the device for this seed, purpose and index alone."""
    return torch.Generator(device).manual_seed(stream_seed(seed, purpose, index))
