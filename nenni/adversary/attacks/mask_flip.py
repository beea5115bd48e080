"""PGD that drives neurons across the border of the mask."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from nenni.adversary.attack import Injected
from nenni.adversary.attacks.pgd import climb
from nenni.adversary.ball import Ball
from nenni.adversary.gradient import ascent, frozen
from nenni.adversary.judge import watched
from nenni.adversary.losses import objective
from nenni.core.errors import UserError
from nenni.core.keyed import Keyed
from nenni.core.types import Count, Loss, NonNegative, Norm, Positive
from nenni.method.injection import noisy_layers
from nenni.method.noisy_layer import NoisyLayer
from nenni.networks.hooks import hooked

__all__ = ["mask_flip"]

Masks = dict[int, list[Tensor]]
"""Number of a layer -> the mask of each of its calls, soft or of the clean images."""


def mask_flip(
    model: Injected,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    norm: Norm = "linf",
    targeted: bool = False,
    loss: Loss = "margin",
    steps: Count = 40,
    relative_step: Positive = 5.0,
    weight: NonNegative = 1.0,
    temperature: Positive = 0.1,
) -> Tensor:
    """PGD on L + c F, F the share of neurons that changed between essential and not, made smooth.

    F is the mean over layers and neurons of |s(x') - m(x)|, s the soft mask of the attacked image
    and m the mask of the clean one; 0 where chance decides all masks. It is written for this
    defence: the noise a neuron gets is largest where it should not have been judged non-essential.

    Parameters
    ----------
    model : Module
        From :func:`nenni.inject`.
    inputs, labels, eps, norm, targeted
        See :mod:`nenni.adversary.attacks`.
    generator : Generator
        Draws the start.
    loss, steps, relative_step
        See :func:`nenni.adversary.attacks.pgd.pgd`.
    weight : float
        C, in units of the loss.
    temperature : float
        Width of the soft mask, in standard deviations of a sample's scores.

    Raises
    ------
    UserError
        If no layer is injected.
    """
    injected = [layer for _, layer in noisy_layers(model)]
    if not injected:
        raise UserError("mask_flip attacks the masks of an injected network; this one has none")
    layers = [layer for layer in injected if not layer.choices.selection.randomised]
    model = watched(model, inputs, labels, eps, norm, targeted=targeted)
    ball = Ball(inputs, eps, norm)
    with torch.no_grad(), _masks(layers, temperature) as found:
        model(inputs)
        clean = {layer: [(mask > 0.5).to(mask) for mask in masks] for layer, masks in found.items()}

    def flipped(soft: Masks, rows: Tensor) -> Tensor:
        return _flipped(soft, clean, rows, len(inputs))

    def rising(images: Tensor, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        here, away = model.of(rows), objective(labels[rows], loss, targeted)
        with _masks(layers, temperature) as soft:
            found = ascent(here, images, lambda logits: away(logits) + weight * flipped(soft, rows))
        return found.gradient, here.broken if model.leave else None

    with frozen(model):
        start = ball.uniform(Keyed.by_content(inputs, generator).at(0).at(0))
        return climb(start, ball, rising, steps, relative_step * eps / steps)


def _flipped(soft: Masks, clean: Masks, rows: Tensor, count: int) -> Tensor:
    """Mean share of changed neurons of each of the rows among so many images, (N,)."""
    shares = []
    for layer, masks in soft.items():
        before = clean[layer]
        apart = len(masks) != len(before) or any(len(mask) % max(1, count) for mask in before)
        pairs = zip(
            _by_image(masks, len(rows), apart), _by_image(before, count, apart), strict=True
        )
        shares += [(now - then[rows]).abs().mean(1) for now, then in pairs]
    return torch.stack(shares).mean(0) if shares else torch.zeros(len(rows), device=rows.device)


def _by_image(masks: list[Tensor], size: int, apart: bool) -> list[Tensor]:
    """The masks of each call, (size, -1): an image may be several rows, one after the other.

    Apart, each image was asked about by itself.
    """
    if apart:
        calls = len(masks) // size
        masks = [torch.cat(masks[call::calls]) for call in range(calls)]
    return [mask.reshape(size, mask.numel() // max(1, size)) for mask in masks]


@contextmanager
def _masks(layers: list[NoisyLayer], temperature: float) -> Iterator[Masks]:
    """Collects the soft masks of every pass within, those of copies of the layers too."""
    found: Masks = {}

    def keep(number: int, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, NoisyLayer)
        soft = layer.soft_mask(layer.judged(inputs[0]), temperature)
        found.setdefault(number, []).append(soft)

    hooks = [
        layer.register_forward_pre_hook(partial(keep, number))
        for number, layer in enumerate(layers)
    ]
    with hooked(hooks):
        yield found
