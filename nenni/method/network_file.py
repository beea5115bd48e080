"""Networks as files: tensors, architecture and defence in one safetensors file.

Its metadata have one key, ``nenni``, with sorted JSON::

    {"format": 2,
     "model": {"name": ..., arguments} or null,
     "input_shape": [C, H, W] or null,
     "n_classes": a number or null,
     "defence": {"name": ..., what its plugin needs} or null,
     "extra_state": {name: plain data}, where modules keep more than tensors}

Nothing that a file names is run, but for the models and defences of this package and of the folders
that :func:`nenni.use_plugins` was given: a function of somebody's own only where the caller names
the same one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic_core import PydanticCustomError
from torch import Tensor, nn

from nenni.core import plugins, settings
from nenni.core.errors import UserError, refusal
from nenni.core.io import is_ours, read_tensors, write_tensors
from nenni.method.defence import DefenceFormat
from nenni.networks.architecture import Architecture
from nenni.networks.asking import check_ready
from nenni.networks.build import architecture_of, build, remember
from nenni.networks.copying import copied, is_compiled
from nenni.networks.weights import State, check_fits, divided, load_tensors

_FORMAT = 2
Named = str | Mapping[str, Any] | Architecture
"""An architecture, or the model's config, or its name alone, or ``MODULE:FUNCTION``."""


def save(network: nn.Module, path: str | Path, *, architecture: Named | None = None) -> None:
    """Write a network, plain or defended: its tensors, and what its structure is made from.

    Parameters
    ----------
    network : Module
        One that :func:`nenni.load` or a model of this package made remembers its architecture.
    path : path
        The file, safetensors.
    architecture : str, mapping or Architecture
        Names it, for a network that does not remember: ``my_module:build``, or a model of this
        package as a config has it. Without, :func:`load` has to be given a plain network.

    Raises
    ------
    UserError
        If there is no such architecture, a defence's choice is no plugin, or the network is not
        (any more) what its model makes; a function of one's own is not run to find out. If it has
        no weights yet, or keeps what is neither tensors nor plain data.
    """
    check_ready(network)
    if any(is_compiled(module) for module in network.modules()):
        network = copied(network)
    known = architecture_of(network)
    if architecture is not None:
        known = Architecture.read(architecture, "architecture").over(known)
        known.check_complete()
    header = _Header(known, _describe(network))
    if known.model is not None and known.own is None:
        _check_same(network, header, Path(path))
    meta = {
        "format": _FORMAT,
        "model": known.model,
        "input_shape": known.input_shape,
        "n_classes": known.n_classes,
        "defence": header.defence,
    }
    tensors, extra = divided(network.state_dict(), Path(path))
    write_tensors(Path(path), tensors, meta | ({"extra_state": extra} if extra else {}))


def load(
    path: str | Path,
    model: nn.Module | None = None,
    example_input: Tensor | None = None,
    *,
    architecture: Named | None = None,
) -> nn.Module:
    """Read a network that :func:`save` or the workflow wrote.

    Parameters
    ----------
    path : path
        The file.
    model : Module
        A plain network of the same architecture, with any weights; it is not changed. Without, the
        network is built from the architecture in the file, in eval mode.
    example_input : Tensor
        A batch that the model accepts, where a file does not say the shape of one.
    architecture : str, mapping or Architecture
        Where the file has none; and where it has ``MODULE:FUNCTION``, which is run only if it is
        named here.

    Raises
    ------
    UserError
        If the file is damaged or does not fit the network, whose first tensor that differs is
        named; or if more has to be given to build it.
    """
    file = Path(path)
    tensors, meta = read_tensors(file)
    header = _read(meta, file)
    named = (
        Architecture() if architecture is None else Architecture.read(architecture, "architecture")
    )
    known = header.architecture.over(named)
    if model is None:
        _check_permission(header.architecture, named, file)
        plain = _build(known, file)
    else:
        plain = copied(model)
        remember(plain, architecture_of(model).over(known))
    network = _defended(plain, header, example_input, file)
    load_tensors(network, tensors | header.extra_state, file)
    return network


def is_network_file(path: Path) -> bool:
    """Whether a file is one of ours, and not of tensors alone."""
    return is_ours(path)


@dataclass(frozen=True)
class _Header:
    """What a file says beside its tensors."""

    architecture: Architecture
    defence: dict[str, Any] | None
    extra_state: State = field(default_factory=dict)


def _read(meta: Any, file: Path) -> _Header:
    version = meta.get("format") if isinstance(meta, dict) else None
    if (
        type(version) is int and version == 1
    ):  # nenni.save at first: the choices of the injected layers, and no more
        return _Header(Architecture(), {"name": "nenni", "layers": meta.get("layers")})
    if version != _FORMAT:
        raise UserError(
            f"{file}: was not written by nenni.save, or by another version; a file of the workflow "
            "is made again by snakemake"
        )
    if missing := {"model", "input_shape", "n_classes", "defence"} - meta.keys():
        raise UserError(f"{file}: {min(missing)} is missing from its metadata")
    model, shape, classes, defence = (
        meta[key] for key in ("model", "input_shape", "n_classes", "defence")
    )
    sized = shape is None or (isinstance(shape, list) and shape and all(map(_is_size, shape)))
    if not sized or not (classes is None or _is_size(classes)):
        raise UserError(
            f"{file}: input_shape should be a list of whole numbers of 1 or more, and n_classes "
            f"one such number, got {shape!r} and {classes!r}"
        )
    if not isinstance(defence, dict | None):
        raise UserError(f"{file}: defence should be a mapping with a name, got {defence!r}")
    if not isinstance(extra := meta.get("extra_state", {}), dict):
        raise UserError(f"{file}: extra_state should be a mapping of names, got {extra!r}")
    made = Architecture(model, None if shape is None else tuple(shape), classes)
    return _Header(Architecture.read(made, str(file)), defence, extra)


def _is_size(value: Any) -> bool:
    return type(value) is int and value > 0


def _build(architecture: Architecture, file: Path) -> nn.Module:
    try:
        return build(architecture)
    except UserError as error:
        raise UserError(f"{file}: {error}") from error


def _defended(plain: nn.Module, header: _Header, example: Tensor | None, file: Path) -> nn.Module:
    if header.defence is None:
        return plain
    return _restore(plain, header.defence, _example(plain, example, file), file)


def _check_same(network: nn.Module, header: _Header, file: Path) -> None:
    """Refuse to write what :func:`load` could not read, as after a layer was replaced."""
    with torch.random.fork_rng():
        again = _defended(_build(header.architecture, file), header, None, file)
    try:
        check_fits(again, network.state_dict(), file)
    except UserError as error:
        raise UserError(
            f"{error}: the network is no longer what its model {header.architecture.name} makes; "
            "name a function of your own that makes it, architecture='my_module:build'"
        ) from None


def _check_permission(found: Architecture, named: Architecture, file: Path) -> None:
    """Refuse to build what the caller did not name, or what nobody did."""
    if found.model is None and named.model is None:
        raise UserError(
            f"{file}: does not say its architecture: give a plain network of it, or name it "
            "(architecture=, --model)"
        )
    if found.own is not None and found.own != named.own:
        raise UserError(
            f"{file}: its network is made by {found.own}, and a file's code is run only if you "
            f"name it: architecture='{found.own}' (--model {found.own}), or give a plain network"
        )
    if found.model is None or named.model is None:
        return
    if found.name != named.name:
        raise UserError(f"{file}: is of the model {found.name}, not {named.name}")
    for key, asked in settings.chosen("model", dict(named.model)).items():
        if found.model[key] != asked:
            raise UserError(f"{file}: its model has {key} = {found.model[key]!r}, not {asked!r}")


def _describe(network: nn.Module) -> dict[str, Any] | None:
    """The defence that is in a network, as a file holds it."""
    for name in plugins.names("defence"):
        found = _plugin(name).describe(network)
        if found is not None:
            return {"name": name, **found}
    return None


def _restore(model: nn.Module, defence: dict[str, Any], example: Tensor, file: Path) -> nn.Module:
    name = defence.get("name")
    if name not in plugins.names("defence"):
        known = ", ".join(plugins.names("defence"))
        raise UserError(f"{file}: unknown defence {name!r}; known are: {known}")
    try:
        return _plugin(name).restore(model, plugins.arguments(defence), example)
    except PydanticCustomError as error:
        found = settings.problems_in(error)
        unknown = any(place[-1:] == ("name",) for place, _ in found)
        hint = " (plugins of your own are found in the folder of --plugins or nenni.use_plugins)"
        raise UserError(f"{refusal(f'{file}: defence', found)}{hint if unknown else ''}") from None
    except (ValueError, TypeError) as error:
        raise UserError(f"{file}: its defence cannot be read ({error})") from error
    except UserError as error:
        raise UserError(f"{file}: {error}") from error


def _plugin(name: str) -> type[DefenceFormat]:
    found: type[DefenceFormat] = plugins.load("defence", name)
    return found


def _example(model: nn.Module, given: Tensor | None, file: Path) -> Tensor:
    """One image for a network: a given one, or zeros of the shape that it is known to take."""
    if given is not None:
        return given[:1]
    shape = architecture_of(model).input_shape
    if shape is None:
        raise UserError(
            f"{file}: does not say the shape of an image: give an example_input that the network "
            "accepts"
        )
    parameter = next(model.parameters())
    return torch.zeros(1, *shape, device=parameter.device, dtype=parameter.dtype)
