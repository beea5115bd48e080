"""Put NENNI into a trained network, and take it out again."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nenni.errors import UserError
from nenni.layers import NoisyConv2d, NoisyLayer, NoisyLinear, Path
from nenni.seeding import derive_seed, generator
from nenni.spec import InjectionSpec


def inject(
    model: nn.Module, spec: InjectionSpec, example_input: Tensor, *, seed: int = 0
) -> nn.Module:
    """Copy of a network whose layers compute only their essential neurons exactly.

    Every convolution and linear layer but the first and the last is wrapped; those with fewer than
    ``spec.min_inputs`` inputs, with groups, or with padding other than zeros stay exact. W~ is
    zero until :func:`nenni.fit` has run.

    Parameters
    ----------
    model : Module
        Any classifier; it is not changed.
    spec : InjectionSpec
        The choices of the method.
    example_input : Tensor
        A batch (N, C, H, W) that the model accepts, to see that each wrapped layer runs.
    seed : int
        Seed of P: the same seed and layer name give the same P, whatever else differs.

    Raises
    ------
    UserError
        If no layer qualifies, if a wrapped layer does not run on the example input, or if the
        spec gives a fraction for a layer that is not wrapped.
    """
    noisy = copy.deepcopy(model)
    chosen = injectable(noisy, spec.min_inputs)
    if not chosen:
        raise UserError(
            f"no layer of {type(model).__name__} qualifies for injection: between the first and the"
            f" last, none has {spec.min_inputs} inputs or more"
        )
    if unknown := sorted(set(spec.fractions) - set(chosen)):
        raise UserError(f"fractions name layers that are not injected: {', '.join(unknown)}")
    for name in chosen:
        layer = noisy.get_submodule(name)
        kind = NoisyConv2d if isinstance(layer, nn.Conv2d) else NoisyLinear
        wrapper = kind(layer, name, spec, generator(seed, "projection", name))  # type: ignore[arg-type]
        wrapper.train(layer.training)
        noisy.set_submodule(name, wrapper)
    _check_all_run(noisy, example_input)
    return noisy


def remove(noisy: nn.Module) -> nn.Module:
    """Plain copy of an injected network: the wrapped layers with their current weights."""
    plain = copy.deepcopy(noisy)
    for name, layer in list(noisy_layers(plain)):
        plain.set_submodule(name, layer.wrapped)
    return plain


def injectable(model: nn.Module, min_inputs: int) -> list[str]:
    """Names of the layers that :func:`inject` wraps, in the order of their definition."""
    layers = [
        (name, m) for name, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)
    ]
    return [
        name
        for name, layer in layers[1:-1]
        if layer.weight[0].numel() >= min_inputs
        and (isinstance(layer, nn.Linear) or _plain_convolution(layer))
    ]


def noisy_layers(model: nn.Module) -> Iterator[tuple[str, NoisyLayer]]:
    """All (name, layer) of a network that are injected."""
    return ((name, m) for name, m in model.named_modules() if isinstance(m, NoisyLayer))


def set_path(model: nn.Module, path: Path) -> None:
    """Let every injected layer give z' ("injected"), z ("exact") or z~ ("approximate")."""
    for _, layer in noisy_layers(model):
        layer.path = path


def is_randomised(model: nn.Module) -> bool:
    """Whether two forward passes on the same input may differ."""
    return any(layer.selection.randomised for _, layer in noisy_layers(model))


def seed_noise(model: nn.Module, *purpose: int | str) -> None:
    """Restart the draws of a randomised selection, so that what follows is reproducible."""
    for name, layer in noisy_layers(model):
        layer.generator.manual_seed(derive_seed(*purpose, name))


def _plain_convolution(layer: nn.Conv2d) -> bool:
    return (
        layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    )


def _check_all_run(noisy: nn.Module, example_input: Tensor) -> None:
    idle = {name for name, _ in noisy_layers(noisy)}
    hooks = [
        layer.register_forward_hook(lambda *_, name=name: idle.discard(name))
        for name, layer in noisy_layers(noisy)
    ]
    was_training = noisy.training
    try:
        with torch.no_grad():
            noisy.eval()(example_input)
    finally:
        noisy.train(was_training)
        for hook in hooks:
            hook.remove()
    if idle:
        raise UserError(
            f"injected layers that did not run on the example input: {', '.join(sorted(idle))}"
        )
