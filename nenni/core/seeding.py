"""Private random generators: one per purpose, so that adding one changes no other result."""

import hashlib
import json

import torch


def derive_seed(*purpose: int | str) -> int:
    """Seed in [0, 2^63) that depends on every part of the purpose, e.g. ``(0, "fit", "order")``."""
    digest = hashlib.sha256(json.dumps(purpose).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*purpose: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """Fresh generator for one purpose; the global random state is never touched."""
    return torch.Generator(device).manual_seed(derive_seed(*purpose))
