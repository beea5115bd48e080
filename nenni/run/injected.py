"""Injection and fit as the config has them."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from nenni.core.seeding import derive_seed
from nenni.method.fit import fit
from nenni.method.injection import inject, noisy_layers, set_fractions
from nenni.method.spec import InjectionSpec


def injected(
    base: nn.Module,
    injection: dict[str, Any],
    images: Tensor,
    fitting: dict[str, Any],
    seed: int,
    progress: Callable[[str], None] = lambda _: None,
    fractions: Mapping[str, float] | float = {},
) -> nn.Module:
    """A base with NENNI injected and fitted, by the blocks `injection` and `fit` of a config.

    Layers may have other fractions: all of them one, or some, by name.
    """
    noisy = inject(base, InjectionSpec.from_config(injection), images[:1], seed=seed)
    if isinstance(fractions, float | int):
        fractions = {name: fractions for name, _ in noisy_layers(noisy)}
    set_fractions(noisy, fractions)
    settings = {key: value for key, value in fitting.items() if key != "examples"}
    fit(noisy, images, seed=derive_seed(seed, "fit"), progress=progress, **settings)
    return noisy
