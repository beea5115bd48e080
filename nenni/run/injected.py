"""Injection and fit as the config has them."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nenni.core.seeding import derive_seed, generator
from nenni.method.fit import fit
from nenni.method.injection import inject, noisy_layers, set_fractions
from nenni.method.spec import InjectionSpec
from nenni.networks.modes import evaluating
from nenni.training.recipe import Recipe


def fitting_images(
    base: nn.Module, images: Tensor, labels: Tensor, config: dict[str, Any]
) -> Tensor:
    """The images of a fit: as they are, or attacked as in the training of their base."""
    if not config["fit"]["attacked"]:
        return images
    recipe, draws = Recipe.from_config(config["recipe"]), generator(config["seed"], "fit attack")
    parts = zip(
        *(part.split(config["fit"]["batch_size"]) for part in (images, labels)), strict=True
    )
    with evaluating(base):
        attacked = [
            recipe.method.perturb(base, x, y, recipe.eps, recipe.attack, draws) for x, y in parts
        ]
    return torch.cat(attacked)


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
    settings = {k: value for k, value in fitting.items() if k not in ("examples", "attacked")}
    fit(noisy, images, seed=derive_seed(seed, "fit"), progress=progress, **settings)
    return noisy
