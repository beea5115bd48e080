"""How well the approximate path does on given images, layer by layer."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from nenni.core.types import Inputs
from nenni.data.batches import Data, check_repeatable, image_batches
from nenni.method.injection import noisy_layers
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.ranking import largest
from nenni.method.visit import VISITS, visit_injected
from nenni.networks.copying import uncompiled

_BATCH = 128
_BINS, _REACH = 81, 2.0
"""Of the histogram of errors: its bins, up to so many rms(z) on either side."""


@torch.no_grad()
def report(
    model: nn.Module, data: Data, *, inputs: Inputs = "injected", batch_size: int = _BATCH
) -> pd.DataFrame:
    """How well each layer's approximation does, on given images.

    z~ is compared with the z that the layer itself gives for the same input.

    Parameters
    ----------
    model : Module
        Injected and fitted.
    data : tensors, loader or data set
        Images, see :data:`nenni.data.batches.Data`; labels may be there and are not used.
    inputs : "injected" or "exact"
        Of a layer: those that it gets behind the other injected layers, or in the exact network.
    batch_size : int
        Images per batch; a loader has its own.

    Returns
    -------
    DataFrame
        One row per injected layer: ``relative_error`` = rms(z~ - z) / rms(z); ``fraction`` of
        neurons that the mask really selects; ``recall``, the share of the truly largest neurons
        (by z, of each row as many as selected) that are selected; ``neurons`` of an image, at all
        calls; ``error_bias``, the mean of z~ - z over rms(z); and ``drift``, how far z itself is
        from that of the exact path, rms of the difference over rms: 0 with exact inputs, and with
        the batch norms that the network has now. Of a pool of approximations the mean.
    """
    model = uncompiled(model)
    sums: dict[str, Tensor] = {}
    images = 0

    def counted() -> Iterator[Tensor]:
        nonlocal images
        for batch in image_batches(data, batch_size, model):
            images += len(batch)
            yield batch

    def visit(name: str, layer: NoisyLayer, x: Tensor, exact: Tensor) -> None:
        z = layer.exact(x)
        moved = _wide(z) - _wide(exact)
        for i in range(layer.pool):
            z_tilde = layer.approximate(x, i)
            mask = layer.mask(z if layer.choices.selection.judges_exact else z_tilde)
            mask = layer.geometry.channels_second(mask).flatten(1)
            truth = _as_many(layer.score(z), mask)
            whole, error = _wide(z), _wide(z_tilde) - _wide(z)
            values = [error.square().sum(), whole.square().sum(), error.sum()]
            values += [mask.sum(), (mask & truth).sum(), truth.sum()]
            values += [moved.square().sum(), _wide(exact).square().sum()]
            total = z.new_tensor(z.numel(), dtype=torch.float64)
            parts = torch.stack([*(v.double() for v in values), total])
            sums[name] = sums.get(name, torch.zeros_like(parts)) + parts

    VISITS[inputs](model, counted(), visit)
    pools = {name: layer.pool for name, layer in noisy_layers(model)}
    return pd.DataFrame([_row(n, images * pools[n], *found.tolist()) for n, found in sums.items()])


def _as_many(score: Tensor, mask: Tensor) -> Tensor:
    """The largest of each row of a score (N, ...), as many as are in the mask (N, n)."""
    counts = mask.sum(1).tolist()
    rows = [largest(row, k / mask.shape[1]) for row, k in zip(score.split(1), counts, strict=True)]
    return torch.cat(rows).flatten(1)


def _row(
    name: str, images: int, squared_error: float, squared: float, error: float, selected: float,
    hit: float, wanted: float, moved: float, in_exact: float, total: float,
) -> dict[str, Any]:  # fmt: skip
    return {
        "layer": name,
        "neurons": round(total / images),
        "relative_error": (squared_error / squared) ** 0.5 if squared else float("nan"),
        "error_bias": error / total / (squared / total) ** 0.5 if squared else float("nan"),
        "fraction": selected / total,
        "recall": hit / wanted if wanted else float("nan"),
        "drift": (moved / in_exact) ** 0.5 if in_exact else float("nan"),
    }


@torch.no_grad()
def error_histogram(model: nn.Module, data: Data) -> pd.DataFrame:
    """Distribution of z~ - z per layer: the noise that is injected into non-essential neurons.

    Returns
    -------
    DataFrame
        Columns ``layer``, ``bin`` (its centre, in units of rms(z)), ``all`` and ``injected``: the
        shares of all neurons, and of the non-essential ones, whose error falls into the bin. The
        outermost bins hold what lies beyond.
    """
    check_repeatable(data)
    model = uncompiled(model)
    squared = {name: 0.0 for name, _ in noisy_layers(model)}
    numbers = dict.fromkeys(squared, 0)

    def add_squares(name: str, layer: NoisyLayer, x: Tensor, _: Tensor) -> None:
        z = layer.exact(x)
        squared[name] += float(_wide(z).square().sum())
        numbers[name] += z.numel()

    visit_injected(model, image_batches(data, _BATCH, model), add_squares)
    edges = torch.linspace(-_REACH, _REACH, _BINS + 1)
    counts = {name: torch.zeros(2, _BINS) for name in squared}

    def count(name: str, layer: NoisyLayer, x: Tensor, _: Tensor) -> None:
        z = layer.exact(x)
        for i in range(layer.pool):
            z_tilde = layer.approximate(x, i)
            error = (_wide(z_tilde) - _wide(z)) / (squared[name] / numbers[name]) ** 0.5
            error = error.clamp(-_REACH, _REACH)
            mask = layer.mask(z if layer.choices.selection.judges_exact else z_tilde)
            for row, values in enumerate((error, error[~mask])):
                counts[name][row] += torch.histogram(values.flatten().float().cpu(), edges).hist

    visit_injected(model, image_batches(data, _BATCH, model), count)
    centres = ((edges[1:] + edges[:-1]) / 2).tolist()
    frames = []
    for name, histograms in counts.items():
        share = histograms / histograms.sum(1, keepdim=True).clamp_min(1)
        frame = pd.DataFrame({"layer": name, "bin": centres})
        frames.append(frame.assign(all=share[0].tolist(), injected=share[1].tolist()))
    return pd.concat(frames, ignore_index=True)


def _wide(x: Tensor) -> Tensor:
    """In single precision at least: a sum of halves is soon infinite."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
