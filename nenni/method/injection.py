"""Put NENNI into a trained network, and take it out again."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import get_args

import torch
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.core.seeding import generator
from nenni.data.batches import Data, one_image
from nenni.method.baseline import BaselineLayer, baseline_layers
from nenni.method.layer_patterns import LAYERS, chosen, kind_of
from nenni.method.noisy_conv2d import NoisyConv2d
from nenni.method.noisy_layer import LayerPath, NoisyLayer
from nenni.method.noisy_linear import NoisyLinear
from nenni.method.quantise import NOT_ROUNDED
from nenni.method.score import TEMPERATURE
from nenni.method.spec import InjectionSpec, matches, with_fraction
from nenni.networks.architecture import Architecture
from nenni.networks.asking import answer, check_ready, shows_no_layers
from nenni.networks.attention import make_attention_explicit, pack_attention
from nenni.networks.build import architecture_of, remember
from nenni.networks.copying import copied
from nenni.networks.hooks import hooked
from nenni.networks.modes import evaluating
from nenni.networks.tracing import trace


def inject(model: nn.Module, spec: InjectionSpec, data: Data, *, seed: int = 0) -> nn.Module:
    """Copy of a network whose layers compute only their essential neurons exactly.

    The spec says which layers are wrapped. Attention is rewritten first, so that its linear layers
    can be. W~ is zero until :func:`nenni.fit` has run.

    Parameters
    ----------
    model : Module
        Any classifier; it is not changed.
    spec : InjectionSpec
        The choices of the method.
    data : tensors, loader or data set
        Images that the model accepts, see :data:`nenni.data.batches.Data`, of which one is taken:
        a pass shows the order of the layers and the batch norms that follow them.
    seed : int
        Seed of P: the same seed and layer name give the same P, whatever else differs.

    Raises
    ------
    UserError
        If the network is injected or defended already or has no weights yet, no layer qualifies, a
        chosen one does not run on the image or cannot be wrapped, or a pattern of the spec matches
        nothing.
    """
    if any(noisy_layers(model)):
        raise UserError("the network is injected already: inject the plain one, or remove() first")
    if any(baseline_layers(model)):
        raise UserError("the network is defended already: inject the plain one")
    check_ready(model)
    image = one_image(data, model)
    noisy = copied(model)
    make_attention_explicit(noisy)
    found = trace(noisy, image)
    names = _chosen(noisy, spec.layers, spec.min_inputs, found.order)
    _check_overrides(noisy, spec, names)
    for name in names:
        layer = noisy.get_submodule(name)
        kind = NoisyConv2d if isinstance(layer, nn.Conv2d) else NoisyLinear
        choices = spec.of(name, kind_of(layer))
        draws = generator(seed, "projection", name)
        wrapper = kind(layer, choices, draws, found.batch_norms.get(name))  # type: ignore[arg-type]
        wrapper.train(layer.training)
        for alias, module in list(noisy.named_modules(remove_duplicate=False)):
            if module is layer:
                noisy.set_submodule(alias, wrapper)
    pack_attention(noisy)
    _check_layers(noisy, image, found.sizes)
    if image.is_floating_point():
        shape = Architecture(input_shape=tuple(image.shape[1:]))
        remember(noisy, architecture_of(noisy).over(shape))
    return noisy


def remove(model: nn.Module) -> nn.Module:
    """Plain copy of an injected or defended network: the layers and batch norms as they are now.

    Fine-tuning changed them, and so did a fit that measured batch norms. Of a baseline the weights
    are those that it keeps: not rounded, none of them zeroed, its learned scales gone.
    """
    plain = copied(model)
    for name, layer in list(plain.named_modules(remove_duplicate=False)):
        if isinstance(layer, NoisyLayer):
            plain.set_submodule(name, layer.wrapped)
        elif isinstance(layer, BaselineLayer):
            plain.set_submodule(name, layer.original())
    pack_attention(plain)
    return plain


def injectable(
    model: nn.Module, layers: Sequence[str], min_inputs: int, example_input: Tensor
) -> list[str]:
    """Names of the layers that :func:`inject` wraps, in the order in which they run.

    Parameters
    ----------
    model : Module
        A plain network.
    layers : sequence of str
        See :class:`nenni.method.spec.InjectionSpec`.
    min_inputs : int
        See :class:`nenni.method.spec.InjectionSpec`.
    example_input : Tensor
        A batch that the model accepts.

    Raises
    ------
    UserError
        As :func:`inject` does for layers that cannot be chosen.
    """
    explicit = copied(model)
    make_attention_explicit(explicit)
    return _chosen(explicit, layers, min_inputs, trace(explicit, example_input).order)


def noisy_layers(model: nn.Module) -> Iterator[tuple[str, NoisyLayer]]:
    """All (name, layer) of a network that are injected."""
    return ((name, m) for name, m in model.named_modules() if isinstance(m, NoisyLayer))


def set_path(model: nn.Module, path: LayerPath, temperature: float = TEMPERATURE) -> None:
    """Let every injected layer give z' ("injected"), z, z~, or z' with another gradient.

    Parameters
    ----------
    model : Module
        From :func:`inject`.
    path : "injected", "exact", "approximate", "soft" or "bpda"
        The output: see :class:`nenni.method.noisy_layer.NoisyLayer`.
    temperature : float
        Width of the soft mask, in standard deviations of a sample's scores.

    Raises
    ------
    UserError
        For a path that does not exist.
    """
    if path not in get_args(LayerPath):
        raise UserError(f"path should be one of {', '.join(get_args(LayerPath))}, got {path!r}")
    for _, layer in noisy_layers(model):
        layer.path = path
        layer.temperature = temperature


@contextmanager
def on_path(model: nn.Module, path: LayerPath, temperature: float = TEMPERATURE) -> Iterator[None]:
    """:func:`set_path` within; afterwards every layer is on its own path again."""
    before = [(layer, layer.path, layer.temperature) for _, layer in noisy_layers(model)]
    set_path(model, path, temperature)
    try:
        yield
    finally:
        for layer, own_path, own_temperature in before:
            layer.path, layer.temperature = own_path, own_temperature


def set_fractions(model: nn.Module, fractions: Mapping[str, float]) -> None:
    """Change the fraction of some layers' selections, by name.

    A selection with a calibrated threshold needs :func:`nenni.method.fit.set_thresholds`
    afterwards.

    Raises
    ------
    UserError
        For a layer that is not injected.
    """
    layers = dict(noisy_layers(model))
    for name, fraction in fractions.items():
        if name not in layers:
            raise UserError(f"{name} is no injected layer; those are: {', '.join(layers)}")
        choices = layers[name].choices
        layers[name].choices = replace(choices, selection=with_fraction(choices, fraction, name))


def is_randomised(model: nn.Module) -> bool:
    """Whether two forward passes on the same input may differ."""
    choices = [layer.choices for _, layer in noisy_layers(model)]
    of_method = any(c.selection.randomised or c.noise.randomised for c in choices)
    return of_method or any(layer.draws for _, layer in baseline_layers(model))


def _layers(model: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    return {name: m for name, m in model.named_modules() if isinstance(m, LAYERS)}


def _chosen(
    model: nn.Module, patterns: Sequence[str], min_inputs: int, order: list[str]
) -> list[str]:
    """Names of the layers to wrap, in the order in which they run."""
    layers = _layers(model)
    kinds = {name: kind_of(layer) for name, layer in layers.items()}
    wanted = chosen(patterns, kinds, set(layers) - {*order[:1], *order[-1:]})
    qualified = [name for name in layers if name in wanted and _fits(layers[name], min_inputs)]
    if not qualified:
        closed = shows_no_layers(model)
        raise UserError(
            f"no layer of {type(model).__name__} qualifies for injection: "
            + (
                f"{closed}, which shows no layers; inject the network that it was made from"
                if closed
                else f"of the chosen ones, none is ungrouped with {min_inputs} inputs or more"
            )
        )
    if idle := [name for name in qualified if name not in order]:
        raise UserError(
            f"layers that did not run as modules on the example input: {', '.join(idle)}; exclude "
            f"them, e.g. layers=('!{idle[0]}',)"
        )
    return sorted(qualified, key=order.index)


def _check_overrides(model: nn.Module, spec: InjectionSpec, names: list[str]) -> None:
    for pattern in spec.overrides:
        kinds = {name: kind_of(model.get_submodule(name)) for name in names}
        if not any(matches(pattern, name, kind) for name, kind in kinds.items()):
            listed = ", ".join(names)
            raise UserError(f"overrides: '{pattern}' matches none of the injected: {listed}")


def _fits(layer: nn.Conv2d | nn.Linear, min_inputs: int) -> bool:
    grouped = isinstance(layer, nn.Conv2d) and layer.groups > 1
    return not grouped and layer.weight[0].numel() >= min_inputs


@torch.no_grad()
def _check_layers(noisy: nn.Module, example_input: Tensor, once: dict[str, list[int]]) -> None:
    """Refuse layers that do not compute what their attributes say, or do not see samples.

    The geometry of a subclass, or the weights that it uses, may be its own. Where the first
    dimension does not grow with the batch, from those it had `once` to twice as many, a mask would
    depend on more than one sample.
    """
    sizes: dict[str, list[int]] = {}

    def check(name: str, layer: NoisyLayer, x: Tensor) -> None:
        sizes.setdefault(name, []).append(len(x))
        exact, approximate = layer.exact(x), layer.approximate(x)
        if exact.shape != approximate.shape:
            raise UserError(
                f"layer {name} ({type(layer.wrapped).__name__}) gives {tuple(exact.shape)} where "
                f"its attributes say {tuple(approximate.shape)}: leave it exact, "
                f"layers=('!{name}',)"
            )
        if layer.choices.exact_bits < NOT_ROUNDED and not torch.allclose(
            exact,
            layer.geometry.operate(x, layer.wrapped.weight, layer.wrapped.bias),
            equal_nan=True,
        ):
            raise UserError(
                f"layer {name} ({type(layer.wrapped).__name__}) does not apply its weight as it "
                f"is, so that rounding it to {layer.choices.exact_bits} bits means nothing: leave "
                f"it exact, layers=('!{name}',), or its exact_bits at {NOT_ROUNDED}"
            )

    handles = [
        layer.register_forward_pre_hook(lambda m, x, name=name: check(name, m, x[0]))
        for name, layer in noisy_layers(noisy)
    ]
    with hooked(handles), on_path(noisy, "exact"), evaluating(noisy):
        answer(noisy, torch.cat([example_input, example_input]))
    for name, counts in sizes.items():
        if counts != [2 * count for count in once[name]]:
            raise UserError(
                f"layer {name} does not have the samples in the first dimension of its input (a "
                f"transformer with batch_first=False?): leave it exact, layers=('!{name}',)"
            )
