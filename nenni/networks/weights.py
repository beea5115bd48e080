"""Fill a network with tensors: those of a file, or weights that others published."""

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from nenni.core.errors import UserError
from nenni.core.io import foreign_tensors
from nenni.networks.architecture import TORCHVISION
from nenni.networks.build import architecture_of

_PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put into names, where they wrap."""
_HALVES, _WIDE = (torch.float16, torch.bfloat16), (torch.float32, torch.float64)
_SHOWN = 3
"""Names that a message lists."""


State = dict[str, Any]
"""What ``model.state_dict()`` gives: tensors by name, and what a ``get_extra_state`` returned."""


def load_tensors(model: nn.Module, tensors: State, path: Path) -> None:
    """Fill a network with the tensors of a file, all of which must fit; see :func:`check_fits`."""
    check_fits(model, tensors, path)
    model.load_state_dict(tensors)


def divided(state: State, path: Path) -> tuple[dict[str, Tensor], State]:
    """The tensors of a state, and what else modules keep in it, as plain data.

    Raises
    ------
    UserError
        With the first that is neither, by name: quantised weights, bytes, or objects.
    """
    tensors, more = {}, {}
    for name, value in state.items():
        if isinstance(value, Tensor) and not value.is_quantized:
            tensors[name] = value
        elif _is_plain(value):
            more[name] = value
        else:
            quantised = isinstance(value, Tensor) or "_packed_params" in name
            raise UserError(
                f"{path}: {name} is "
                + (
                    "quantised, which cannot be kept: save the network that was quantised"
                    if quantised
                    else f"a {type(value).__name__}, which cannot be kept: let its module give a "
                    "tensor, or numbers, strings, lists and dicts of them"
                )
            )
    return tensors, more


def check_fits(model: nn.Module, tensors: State, path: Path) -> None:
    """Refuse the tensors of a file that are not those of a network.

    Raises
    ------
    UserError
        With the names that only one side has; or else with the first tensor, by name, whose shape
        or type differs, or that is stored otherwise: sparse, nested or without numbers.
    """
    wanted = model.state_dict()
    lacking, more = wanted.keys() - tensors.keys(), tensors.keys() - wanted.keys()
    if lacking or more:
        parts = [f"it lacks {_some(lacking)}"] if lacking else []
        parts += [f"it has {_some(more)}, which the network has not"] if more else []
        raise UserError(f"{path}: does not fit: {'; '.join(parts)}")
    for name in sorted(wanted):
        if is_lazy(wanted[name]):
            continue  # takes any shape
        expected, found = _described(wanted[name]), _described(tensors[name])
        if found != expected:
            raise UserError(f"{path}: does not fit: {name} should be {expected}, is {found}")


def load_published(
    model: nn.Module, weights: str, progress: Callable[[str], None] = lambda _: None
) -> None:
    """Fill a network with weights that others trained.

    Parameters
    ----------
    model : Module
        The network, as :func:`nenni.networks.build.build` made it.
    weights : str
        A file: safetensors, or tensors alone as torch.save wrote them, on their own or as one
        entry of a training script's checkpoint. Each name may begin with what wraps a network:
        ``module.`` of DataParallel, ``_orig_mod.`` of torch.compile, ``model.`` and the like of a
        training script's class. Numbers of 16 bits are widened. Or ``torchvision:DEFAULT``, or
        another name of torchvision's, for the plugin ``torchvision``: downloaded and checked by
        torchvision, the last layer left out where it has other classes.
    progress : callable
        Is told which entry of a file was taken, what was taken away from names, and widened.

    Raises
    ------
    UserError
        If they cannot be read or downloaded, or belong to another architecture.
    """
    if weights.startswith(TORCHVISION):
        _from_torchvision(model, weights.removeprefix(TORCHVISION))
        return
    file, wanted = Path(weights), model.state_dict()
    found, prefix = unwrapped(foreign_tensors(file, progress), wanted.keys())
    if prefix:
        progress(f"{file}: {prefix} was taken away from its names")
    found, widened = _widened(found, wanted)
    if widened:
        progress(f"{file}: numbers of 16 bits were widened: {_some(widened)}")
    counters = {k: t for k, t in wanted.items() if k.endswith("num_batches_tracked")}
    extra = {k: v for k, v in wanted.items() if not isinstance(v, Tensor)}
    load_tensors(model, counters | extra | found, file)  # counters came with PyTorch 0.4.1


def unwrapped(tensors: State, wanted: Collection[str]) -> tuple[State, str]:
    """Tensors under the names that a network wants, and what was taken away from their names.

    Parameters
    ----------
    tensors : dict
        Of a file.
    wanted : collection of str
        Names in the network; what is part of them stays, and so does what tells two tensors apart.
    """
    taken = ""
    for prefix in _PREFIXES:
        shorter = {f".{name}".replace(f".{prefix}", ".")[1:]: t for name, t in tensors.items()}
        own = any(f".{prefix}" in f".{name}" for name in wanted)
        wraps = shorter.keys() != tensors.keys() and len(shorter) == len(tensors)
        if wraps and not own:
            tensors, taken = shorter, taken + prefix
    shorter, more = tensors, taken
    while not shorter.keys() & set(wanted):
        heads = {name.partition(".")[0] for name in shorter if "." in name}
        if len(heads) != 1 or not all("." in name for name in shorter):
            return tensors, taken
        shorter = {name.partition(".")[2]: t for name, t in shorter.items()}
        more += f"{heads.pop()}."
    return shorter, more


def _widened(found: State, wanted: State) -> tuple[State, list[str]]:
    """Tensors of 16 bits as the numbers that a network has, and their names."""
    names = [
        name
        for name, tensor in found.items()
        if isinstance(tensor, Tensor)
        and tensor.dtype in _HALVES
        and isinstance(own := wanted.get(name), Tensor)
        and own.dtype in _WIDE
    ]
    return found | {name: found[name].to(wanted[name].dtype) for name in names}, names


def _from_torchvision(model: nn.Module, name: str) -> None:
    from torchvision import models

    config = architecture_of(model).model
    if config is None or config["name"] != "torchvision":
        raise UserError(
            f"weights {TORCHVISION}{name} are for the model torchvision, and the network is "
            f"{'another' if config is None else config['name']}"
        )
    which = config["model"]
    try:
        weights = models.get_model_weights(which)[name]
        found: dict[str, Tensor] = dict(weights.get_state_dict(progress=False, check_hash=True))
    except KeyError as error:
        known = ", ".join(w.name for w in models.get_model_weights(which))
        raise UserError(
            f"torchvision has no weights '{name}' of {which}; it has: {known}"
        ) from error
    except (URLError, OSError, RuntimeError) as error:
        raise UserError(
            f"weights {TORCHVISION}{name} of {which} cannot be downloaded, or are not what was "
            f"expected ({error}); fetch them on a machine that may, and name the file"
        ) from error
    network = model.get_submodule("1")
    last = [n for n, m in network.named_modules() if isinstance(m, nn.Linear)][-1]
    own = network.state_dict()
    for part in (f"{last}.weight", f"{last}.bias"):
        if own[part].shape != found[part].shape:
            found[part] = own[part]
    load_tensors(network, found, Path(f"{TORCHVISION}{name}"))


def _is_plain(value: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError):
        return False


def _described(value: Any) -> str:
    if not isinstance(value, Tensor):
        return "no tensor"
    if value.is_nested:
        return "a nested tensor"
    told = f"{tuple(value.shape)} of {str(value.dtype).removeprefix('torch.')}"
    if value.is_meta:
        return f"{told} on the device meta, which holds no numbers"
    return told if value.layout == torch.strided else f"{told}, {value.layout}"


def _some(names: Collection[str]) -> str:
    """The first few of some names, and how many more."""
    shown = sorted(names)[:_SHOWN]
    return ", ".join(shown) + (f" and {n} more" if (n := len(names) - len(shown)) else "")
