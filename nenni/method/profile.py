"""Profile a trained network: where its outputs lie, which channels matter, what noise costs."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni.core.seeding import generator
from nenni.core.square_root import square_root
from nenni.method.fitting.thresholds import sampled
from nenni.method.ranking import largest
from nenni.networks.asking import answer
from nenni.networks.hooks import hooked

_SAMPLED = 2_000_000
"""Outputs of a layer from which quantiles are read."""

Edit = Callable[[Tensor], Tensor]


@torch.no_grad()
def output_distribution(model: nn.Module, layers: list[str], images: Tensor) -> pd.DataFrame:
    """Distribution of z = W x + b per layer.

    Returns
    -------
    DataFrame
        One row per layer: ``mean``, ``rms``, ``positive`` (share above 0), quantiles ``q01`` to
        ``q99``, ``neurons`` per sample and dense ``macs`` per sample (M n d).
    """
    rows = []
    for name in layers:
        z = _output(model, name, images)
        weight = model.get_submodule(name).weight
        assert isinstance(weight, Tensor)
        draws = generator(0, "quantiles", name)
        sample = sampled(z.flatten(), _SAMPLED, draws).float()
        quantiles = torch.quantile(sample, torch.tensor([0.01, 0.25, 0.5, 0.75, 0.99]).to(sample))
        rows.append(
            {
                "layer": name,
                "neurons": z[0].numel(),
                "macs": z[0].numel() * weight[0].numel(),
                "mean": float(z.mean()),
                "rms": float(square_root(z.square().mean())),
                "positive": float((z > 0).float().mean()),
                **dict(zip(("q01", "q25", "q50", "q75", "q99"), quantiles.tolist(), strict=True)),
            }
        )
    return pd.DataFrame(rows)


def channel_importance(
    model: nn.Module, layers: list[str], images: Tensor, labels: Tensor, checked: int
) -> pd.DataFrame:
    """First-order Taylor importance of each channel, the mean of |z dL/dz|.

    Molchanov et al.: Pruning convolutional neural networks for resource efficient inference,
    ICLR 2017, eq. 9. The first `checked` channels of each layer are checked by what the estimate
    stands for: the change of the loss when the channel is replaced with its mean.

    Returns
    -------
    DataFrame
        Columns ``layer``, ``channel``, ``importance`` and ``ablation``, the rise in mean loss (not
        a number where it was not measured).
    """
    frames = []
    with torch.no_grad():
        base = float(F.cross_entropy(answer(model, images), labels))
    for name in layers:
        kept: list[Tensor] = []

        def keep(z: Tensor, kept: list[Tensor] = kept) -> Tensor:
            kept.append(z)
            return z

        with _edited(model, name, keep):
            loss = F.cross_entropy(answer(model, images), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, kept[0])
        z = kept[0].detach()
        dims = [i for i in range(z.dim()) if i != _channel_dim(z)]
        importance = (z * gradient).abs().mean(dims)
        means = z.mean(dims)
        ablation = [
            _loss_with(model, images, labels, name, _replace_channel(c, means[c])) - base
            for c in range(min(checked, len(means)))
        ]
        ablation += [float("nan")] * (len(means) - len(ablation))
        frames.append(
            pd.DataFrame(
                {
                    "layer": name,
                    "channel": range(len(means)),
                    "importance": importance.tolist(),
                    "ablation": ablation,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def sensitivities(
    model: nn.Module,
    layers: list[str],
    images: Tensor,
    labels: Tensor,
    fractions: list[float],
    noises: list[float],
    seed: int,
) -> pd.DataFrame:
    """Rise in loss when all but the largest fraction f of a layer's neurons get noise.

    The noise is Gaussian with deviation s * rms(z), the same draw for every f and s.

    Returns
    -------
    DataFrame
        Columns ``layer``, ``fraction`` f, ``noise`` s and ``rise`` in the mean cross entropy.
    """
    with torch.no_grad():
        base = float(F.cross_entropy(answer(model, images), labels))
    rows = []
    for name in layers:
        z = _output(model, name, images)
        draws = generator(seed, "sensitivity", name, device=z.device)
        noise = torch.randn(z.shape, generator=draws, device=z.device) * square_root(
            z.square().mean()
        )
        for fraction in fractions:
            protected = largest(z.movedim(_channel_dim(z), 1), fraction).movedim(1, _channel_dim(z))
            for size in noises:
                edit = _add_noise(noise * ~protected * size)
                rise = _loss_with(model, images, labels, name, edit) - base
                rows.append({"layer": name, "fraction": fraction, "noise": size, "rise": rise})
    return pd.DataFrame(rows)


def _channel_dim(z: Tensor) -> int:
    return 1 if z.dim() in (2, 4) else z.dim() - 1


def _add_noise(noise: Tensor) -> Edit:
    return lambda z: z + noise


def _replace_channel(channel: int, value: Tensor) -> Edit:
    def edit(z: Tensor) -> Tensor:
        z = z.clone()
        z.select(_channel_dim(z), channel).fill_(value)
        return z

    return edit


def _edited(model: nn.Module, name: str, edit: Edit) -> AbstractContextManager[None]:
    layer = model.get_submodule(name)
    return hooked([layer.register_forward_hook(lambda _m, _x, z: edit(z))])


@torch.no_grad()
def _loss_with(model: nn.Module, images: Tensor, labels: Tensor, name: str, edit: Edit) -> float:
    with _edited(model, name, edit):
        return float(F.cross_entropy(answer(model, images), labels))


@torch.no_grad()
def _output(model: nn.Module, name: str, images: Tensor) -> Tensor:
    kept: list[Tensor] = []

    def keep(z: Tensor) -> Tensor:
        kept.append(z)
        return z

    with _edited(model, name, keep):
        answer(model, images)
    return kept[0]
