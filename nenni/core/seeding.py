"""Random numbers by purpose, so that adding one changes no other result.

What this project draws itself comes from a generator of its own. A network draws from torch's
global state, as dropout does, so that whatever saves and restores that state, as recomputation in
the backward pass does, finds the same draws; :func:`seeded` decides them.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive_seed(*purpose: int | str) -> int:
    """Seed in [0, 2^63) that depends on every part of the purpose, e.g. ``(0, "fit", "order")``."""
    digest = hashlib.sha256(json.dumps(purpose).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*purpose: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """Fresh generator for one purpose; the global random state is never touched."""
    return torch.Generator(device).manual_seed(derive_seed(*purpose))


@contextmanager
def seeded(*purpose: int | str) -> Iterator[None]:
    """Within, torch's global random state starts from a purpose; afterwards it is as before."""
    on_gpu = torch.cuda.is_initialized()
    with torch.random.fork_rng(range(torch.cuda.device_count()) if on_gpu else []):
        torch.manual_seed(derive_seed(*purpose))
        yield
