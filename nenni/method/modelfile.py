"""Networks as files: weights, architecture and injection in one safetensors file."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from nenni.core import plugins
from nenni.core.io import read_tensors, write_tensors
from nenni.method.injection import inject
from nenni.method.saving import load_tensors
from nenni.method.spec import InjectionSpec


def build(meta: dict[str, Any], device: torch.device | str = "cpu") -> nn.Module:
    """Network with the structure that the metadata describes, its weights not yet loaded.

    Parameters
    ----------
    meta : dict
        ``model`` (plugin), ``input_shape``, ``n_classes``; ``injection`` (the config of an
        :class:`~nenni.method.spec.InjectionSpec`, or None) with ``fractions`` and ``seed``.
    """
    shape = tuple(meta["input_shape"])
    make = plugins.load("model", meta["model"]["name"])
    model: nn.Module = make(shape, meta["n_classes"], **plugins.arguments(meta["model"]))
    if meta["injection"] is not None:
        spec = InjectionSpec.from_config(meta["injection"], meta["fractions"])
        model = inject(model, spec, torch.zeros(1, *shape), seed=meta["seed"])
    return model.eval().to(device)


def save_model(path: Path, model: nn.Module, meta: dict[str, Any]) -> None:
    """Write a network and the metadata from which :func:`build` makes its structure."""
    write_tensors(path, model.state_dict(), meta)


def load_model(path: Path, device: torch.device | str = "cpu") -> tuple[nn.Module, dict[str, Any]]:
    """Read a network, in eval mode, and its metadata.

    Raises
    ------
    UserError
        If the file is damaged, or a tensor does not fit the network; it names the first.
    """
    tensors, meta = read_tensors(path)
    model = build(meta)
    load_tensors(model, tensors, path)
    return model.to(device), meta
