"""Injected networks as single safetensors files, the choices of every layer inside."""

from dataclasses import fields
from pathlib import Path

from torch import Tensor, nn

from nenni.errors import UserError
from nenni.injection import inject, noisy_layers
from nenni.io import read_tensors, write_tensors
from nenni.spec import Choices, InjectionSpec

_FORMAT = 1


def save(noisy: nn.Module, path: str | Path) -> None:
    """Write an injected network: its tensors, and the choices of each injected layer as JSON.

    The architecture is not in the file: :func:`load` is given a plain network of it.

    Raises
    ------
    UserError
        If nothing is injected, or a choice is no plugin of this package.
    """
    layers = {name: layer.choices.to_config() for name, layer in noisy_layers(noisy)}
    if not layers:
        raise UserError(f"{path}: the network has no injected layer to save")
    write_tensors(Path(path), noisy.state_dict(), {"format": _FORMAT, "layers": layers})


def load(path: str | Path, model: nn.Module, example_input: Tensor) -> nn.Module:
    """Read a network written by :func:`save`; no code is run that the file brings.

    Parameters
    ----------
    path : path
        The file.
    model : Module
        A plain network of the same architecture, with any weights; it is not changed.
    example_input : Tensor
        A batch that the model accepts.

    Raises
    ------
    UserError
        If the file is damaged or does not fit the network; it names the first tensor that differs.
    """
    file = Path(path)
    tensors, meta = read_tensors(file)
    if meta.get("format") != _FORMAT or not isinstance(meta.get("layers"), dict):
        raise UserError(f"{path}: was not written by nenni.save, or by a newer version")
    known = {f.name for f in fields(Choices)}
    try:
        overrides = {name: Choices.read(config) for name, config in meta["layers"].items()}
        if any(choices.keys() != known for choices in overrides.values()):
            raise ValueError("choices are missing or unknown")
        first = next(iter(overrides.values()))
        per_layer = {_literal(name): choices for name, choices in overrides.items()}
        spec = InjectionSpec(**first, layers=tuple(per_layer), min_inputs=1, overrides=per_layer)
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise UserError(f"{path}: its choices cannot be read ({error})") from error
    noisy = inject(model, spec, example_input)
    load_tensors(noisy, tensors, file)
    return noisy


def load_tensors(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Fill a network with the tensors of a file, all of which must fit.

    Raises
    ------
    UserError
        With the first tensor, by name, whose shape or type differs or which only one side has.
    """

    def describe(side: dict[str, Tensor], name: str) -> str:
        if name not in side:
            return "nothing"
        return f"{tuple(side[name].shape)} of {str(side[name].dtype).removeprefix('torch.')}"

    wanted = model.state_dict()
    for name in sorted(wanted.keys() | tensors.keys()):
        expected, found = describe(wanted, name), describe(tensors, name)
        if found != expected:
            raise UserError(f"{path}: does not fit: {name} should be {expected}, is {found}")
    model.load_state_dict(tensors)


def _literal(name: str) -> str:
    """A pattern that matches this layer name alone."""
    return name.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")
