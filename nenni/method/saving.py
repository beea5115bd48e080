"""Injected networks as single safetensors files, the choices of every layer inside."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from nenni.core import plugins
from nenni.core.errors import UserError
from nenni.core.io import read_meta, read_tensors, write_tensors
from nenni.method.injection import inject, noisy_layers
from nenni.method.spec import PLUGINS, Choices, InjectionSpec

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


def is_saved(path: Path) -> bool:
    """Whether a file was written by :func:`save`."""
    meta = read_meta(path)
    return isinstance(meta, dict) and "format" in meta


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
    layers = (
        meta.get("layers") if isinstance(meta, dict) and meta.get("format") == _FORMAT else None
    )
    if not isinstance(layers, dict) or not layers:
        raise UserError(f"{path}: was not written by nenni.save, or by a newer version")
    try:
        overrides = {name: _choices(config) for name, config in layers.items()}
        first = next(iter(overrides.values()))
        per_layer = {_literal(name): choices for name, choices in overrides.items()}
        spec = InjectionSpec(**first, layers=tuple(per_layer), min_inputs=1, overrides=per_layer)
    except (ValueError, TypeError) as error:
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


def _choices(config: Any) -> dict[str, Any]:
    """Choices of a layer from a file; a ValueError if one is missing, unknown or no plugin."""
    if not isinstance(config, dict) or config.keys() != {f.name for f in fields(Choices)}:
        raise ValueError("choices are missing or unknown")
    return Choices.read(config | {kind: plugins.validate(kind, config[kind]) for kind in PLUGINS})


def _literal(name: str) -> str:
    """A pattern that matches this layer name alone."""
    return name.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")
