"""Describe a network layer by layer, as the cost model reads it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.core.seeding import seeded
from nenni.cost.baselines import added_by_baseline
from nenni.cost.matrix_products import Uncounted, products
from nenni.data.batches import Data, image_batches
from nenni.method.baseline import WrappedLayer
from nenni.method.injection import noisy_layers
from nenni.method.noise_base import Noise
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.projection_base import Projection
from nenni.method.selection_base import Selection
from nenni.networks.asking import answer, check_ready
from nenni.networks.attention import make_attention_explicit
from nenni.networks.build import architecture_of
from nenni.networks.copying import copied
from nenni.networks.hooks import hooked

VERSION = 5
"""Version of the schema of layers.json."""
TILES = (4, 8, 16, 32, 48, 64, 128)
"""Neighbouring channels of the tiles whose essential neurons are counted."""


@torch.no_grad()
def describe(
    model: nn.Module,
    data: Data,
    *,
    name: str | None = None,
    batch_size: int = 250,
    seed: int = 0,
    allow_uncounted: bool = False,
) -> dict[str, Any]:
    """Shapes, bits, projections, measured masks, and what a baseline adds, of all products.

    Convolutions and matrix products stand in the order in which they run; one that runs again has
    an entry for each time, ``name#2`` and so on. Those that do not run cost nothing and are left
    out. Products of activations, as in attention, are there too.

    Parameters
    ----------
    model : Module
        Plain, injected or with a baseline, in eval mode.
    data : tensors, loader or data set
        Images on which the shares of essential neurons are measured, see
        :data:`nenni.data.batches.Data`.
    name : str or None
        Name of the network, for the reader; by default that of its architecture or class.
    batch_size : int
        Images per forward pass; a loader has its own.
    seed : int
        Root of the draws of a randomised selection.
    allow_uncounted : bool
        Whether the network may compute something with its parameters that is no product known
        here. It is then named under ``uncounted``, and in no count.

    Returns
    -------
    dict
        The content of ``layers.json``.

    Raises
    ------
    UserError
        If the network reads parameters with operators that are not counted, unless that is allowed.
    """
    name = name or architecture_of(model).name or type(model).__name__
    check_ready(model)
    batches = image_batches(data, batch_size, model)
    head = next(batches)
    model = copied(model)
    make_attention_explicit(model)
    found = {
        layer_name: layer
        for layer_name, layer in model.named_modules()
        if _is_one_product(layer) and not layer_name.endswith(".wrapped")
    }
    seen = products(model, found, head[:1])
    if seen.uncounted and not allow_uncounted:
        raise UserError(_refusal(seen.uncounted))
    added = added_by_baseline(model, found, head[:1])
    noisy = dict(noisy_layers(model))
    counts = {layer_name: _Masks() for layer_name in noisy}
    zeros = {layer_name: _Zeros() for layer_name in found}
    handles = [
        layer.register_forward_hook(_mask_hook(counts[layer_name]))
        for layer_name, layer in noisy.items()
    ]
    handles += [found[key].register_forward_pre_hook(zeros[key]) for key in found]
    with hooked(handles), seeded(seed, "describe"):
        for batch in chain([head], batches):
            answer(model, batch)
    layers = []
    for one in seen.products:
        entry = {
            "name": one.name, **one.geometry, "exact_bits": 32,
            "zero_inputs": zeros[one.layer].share if one.layer in zeros else None,
            "injection": None, "defence": added.get(one.name),
        }  # fmt: skip
        if isinstance(baseline := found.get(one.layer or ""), WrappedLayer):
            entry["exact_bits"] = baseline.exact_bits
        layer = noisy.get(one.layer or "")
        if layer is not None:
            entry["exact_bits"] = layer.choices.exact_bits
            entry["injection"] = _injection(one.name, layer, counts[one.layer or ""])
        layers.append(entry)
    return {
        "version": VERSION,
        "model": name,
        "input_shape": list(head.shape[1:]),
        "layers": layers,
        "uncounted": [asdict(part) for part in seen.uncounted],
    }


def _is_one_product(layer: nn.Module) -> bool:
    """Whether a module is a defended layer, or a convolution or linear layer of torch's own kind.

    One with a forward pass of its own may compute more, and is seen by its operators.
    """
    kind = type(layer)
    if isinstance(layer, nn.Conv2d):
        return all(
            getattr(kind, name) is getattr(nn.Conv2d, name) for name in ("forward", "_conv_forward")
        )
    plain = isinstance(layer, nn.Linear) and kind.forward is nn.Linear.forward
    return plain or isinstance(layer, NoisyLayer | WrappedLayer)


def _refusal(uncounted: Sequence[Uncounted]) -> str:
    parts = ", ".join(f"{part.name or 'the model'} ({part.operator})" for part in uncounted)
    quantised = any(part.operator.startswith("quantized") for part in uncounted)
    remedy = "describe the network that it was made from, or " if quantised else ""
    what = "the model is quantised by torch and its " if quantised else ""
    return (
        f"{what}parameters are read by what the cost model does not count: {parts}; {remedy}allow "
        "it (allow_uncounted), and it is named beside the counts"
    )


class _Zeros:
    """How many of a layer's inputs were zero."""

    def __init__(self) -> None:
        self.zero = self.all = 0

    def __call__(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """Count those of a pass: a forward pre-hook."""
        self.zero += int((inputs[0] == 0).sum())
        self.all += inputs[0].numel()

    @property
    def share(self) -> float | None:
        """Of them; None if the layer never ran."""
        return self.zero / self.all if self.all else None


class _Masks:
    """How many neurons were essential, and how many of each tile of neighbouring channels."""

    def __init__(self) -> None:
        self.essential = self.neurons = 0
        self.tiles = {size: torch.zeros(size + 1, dtype=torch.int64) for size in TILES}

    def add(self, mask: Tensor) -> None:
        """Count a mask, channels last (..., n)."""
        self.essential += int(mask.sum())
        self.neurons += mask.numel()
        for size, found in self.tiles.items():
            rest = -mask.shape[-1] % size
            each = F.pad(mask, (0, rest)).unflatten(-1, (-1, size)).sum(-1)
            found += each.flatten().bincount(minlength=size + 1).to(found)

    def loads(self) -> dict[str, list[float]]:
        """Tile size -> shares of the tiles with 0, 1, ... essential neurons."""
        return {str(t): (each.double() / each.sum()).tolist() for t, each in self.tiles.items()}


def _mask_hook(count: _Masks) -> Callable[..., None]:
    def hook(layer: NoisyLayer, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        mask = layer.mask(layer.judged(inputs[0]))
        count.add(mask.movedim(1, -1) if isinstance(layer.wrapped, nn.Conv2d) else mask)

    return hook


def _injection(name: str, layer: NoisyLayer, masks: _Masks) -> dict[str, Any]:
    choices, shared = layer.choices, layer.choices.projection.shared_taps
    nonzeros = round(int(layer.P.count_nonzero()) / layer.pool)
    if not nonzeros:
        raise UserError(
            f"layer {name}: its projection P is zero everywhere, so there is nothing to project; "
            "give it a larger ratio, or leave the layer exact"
        )
    rows, columns = layer.P.shape[1], layer.P[0, 0].numel()
    return {
        "projection": _projection(choices.projection, rows, columns),
        "selection": _selection(choices.selection, layer.wrapped.weight.shape[0]),
        "noise": _noise(choices.noise),
        "k": layer.W_tilde[0, 0].numel(),
        "k_c": rows if shared else None,
        "nonzeros": nonzeros,
        "weight_bits": choices.weight_bits,
        "input_bits": choices.input_bits,
        "projected_bits": choices.projected_bits,
        "fraction": choices.selection.nominal(),
        "measured_fraction": masks.essential / masks.neurons,
        "loads": masks.loads(),
        "normalise": choices.normalise,
    }


def _projection(projection: Projection, rows: int, columns: int) -> dict[str, Any]:
    bits = None if projection.real else projection.nonzero_bits(rows, columns)
    return {"name": _name(projection), "real": projection.real, "nonzero_bits": bits}


def _selection(selection: Selection, channels: int) -> dict[str, Any]:
    ranks = selection.ranks and selection.judges != "nothing"
    return {
        "name": _name(selection),
        "judges": selection.judges,
        "algorithm": "quickselect" if ranks else None,
        "comparisons": selection.comparisons(channels),
        "additions": selection.additions(channels),
        "tile": dict(zip(("channels", "positions"), selection.tile(), strict=True)),
        "n_of_m": selection.n_of_m(),
        "adjustable": selection.adjustable,
        "randomised": selection.randomised,
    }


def _noise(noise: Noise) -> dict[str, Any]:
    return {
        "name": _name(noise),
        "uses": noise.uses,
        "randomised": noise.randomised,
        "pool": noise.approximations(),
    }


def _name(plugin: object) -> str:
    """For the reader: the name of the file that holds it."""
    return type(plugin).__module__.rpartition(".")[2]
