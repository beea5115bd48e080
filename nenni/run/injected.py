"""Injection and fit as the config has them."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from nenni.core.seeding import derive_seed
from nenni.method.fit import fit
from nenni.method.injection import inject
from nenni.method.spec import InjectionSpec


def injected(
    base: nn.Module,
    injection: dict[str, Any],
    images: Tensor,
    fitting: dict[str, Any],
    seed: int,
    progress: Callable[[str], None] = lambda _: None,
) -> nn.Module:
    """A base with NENNI injected and fitted, by the blocks `injection` and `fit` of a config."""
    noisy = inject(base, InjectionSpec.from_config(injection), images[:1], seed=seed)
    settings = {key: value for key, value in fitting.items() if key != "examples"}
    fit(noisy, images, seed=derive_seed(seed, "fit"), progress=progress, **settings)
    return noisy
