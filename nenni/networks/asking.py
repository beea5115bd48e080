"""Ask a network of anybody's: it may overwrite what it gets, and its errors are told in a line."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from nenni.core.errors import UserError, in_a_line

_COLOURS = (1, 3, 4)
"""Channels of images."""
_SAME = 1e-3
"""Largest change of a logit, in units of the logits' deviation, that is rounding alone."""


def answer(model: nn.Module, images: Tensor) -> Any:
    """What a network says of images; it gets a copy, which it may overwrite.

    Raises
    ------
    UserError
        If it fails: with its own message, in a line.
    """
    with failures_told(model, images):
        return model(images.clone())


@contextmanager
def failures_told(model: nn.Module, images: Tensor) -> Iterator[None]:
    """Within, whatever a network raises on images is a UserError of one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        what = f"{images.dtype} of shape {tuple(images.shape)}"
        kind, said = type(error).__name__, in_a_line(error)
        told = kind if said == kind else f"{kind}: {said}"
        raise UserError(
            f"the model does not accept images, {what}: {told}{_remedy(model, images)}"
        ) from error


def answers_alike(model: nn.Module, images: Tensor, expected: Tensor) -> bool:
    """Whether a network gives the expected labels, or logits but for rounding."""
    found = answer(model, images)
    if not expected.is_floating_point():
        return torch.equal(found, expected)
    rounding = _SAME * expected.std().clamp_min(torch.finfo(expected.dtype).tiny)
    return bool((found - expected).abs().max() <= rounding)


def check_ready(model: nn.Module) -> None:
    """Refuse a network that has no numbers yet.

    Raises
    ------
    UserError
        If a parameter or buffer is not initialised (lazy modules) or on the device meta.
    """
    for name, module in model.named_modules():
        tensors = chain(module.parameters(recurse=False), module.buffers(recurse=False))
        where = f"its layer {name} ({type(module).__name__})" if name else "it"
        for tensor in tensors:
            if is_lazy(tensor):
                raise UserError(
                    f"the model has layers without weights yet (lazy modules), as {where}: load "
                    "its weights, or ask it once, first"
                )
            if tensor.is_meta:
                raise UserError(
                    f"the model has layers on the device meta, which holds no numbers, as {where}: "
                    "load its weights first, load_state_dict(weights, assign=True)"
                )


def check_answer(outputs: Any, images: Tensor) -> Tensor:
    """The outputs for some images, if they are logits (N, classes) or labels (N,).

    Raises
    ------
    UserError
        Saying what they are, and how they become logits.
    """
    n, shape = len(images), tuple(images.shape)
    if not isinstance(outputs, Tensor):
        kind = type(outputs).__name__
        raise UserError(f"the model returns a {kind}; it should return logits{_within(outputs)}")
    real = outputs.is_floating_point()
    if outputs.dim() == 1 and len(outputs) == n and not real and not outputs.is_complex():
        return outputs
    if outputs.dim() != 2 or len(outputs) != n or not real:
        flat = real and outputs.dim() > 2 and outputs.numel() == n * outputs.shape[1]
        remedy = ": return outputs.flatten(1)" if flat else ""
        raise UserError(
            f"the model returns {outputs.dtype} of shape {tuple(outputs.shape)} for images of "
            f"shape {shape}; it should return logits (N, classes), or labels (N,) of int64{remedy}"
        )
    if outputs.shape[1] < 2:
        raise UserError("the model returns one number per image: give it one logit per class")
    return outputs


def shows_no_layers(model: nn.Module) -> str | None:
    """Name and kind of a part whose layers cannot be seen: scripted, traced or quantised."""
    for name, module in model.named_modules():
        kind = type(module)
        quantised = kind.__module__.startswith("torch.ao.") and "quantized" in kind.__module__
        if quantised or isinstance(module, torch.jit.ScriptModule):
            what = "quantised" if quantised else "scripted or traced"
            return f"{name or 'it'} ({kind.__name__}) is {what}"
    return None


def _within(outputs: Any) -> str:
    """Where the logits may be in what is no tensor."""
    if isinstance(getattr(outputs, "logits", None), Tensor):
        return ": put it into a module that returns its .logits"
    if isinstance(outputs, dict):
        entries = ", ".join(map(str, outputs))
        return f": put it into a module that returns one of its entries, {entries}"
    if isinstance(outputs, tuple | list):
        return ": put it into a module that returns one of its entries"
    return ""


def _remedy(model: nn.Module, images: Tensor) -> str:
    """What may be wrong with images that a network refuses."""
    if images.dim() == 4 and images.shape[3] in _COLOURS and images.shape[1] not in _COLOURS:
        return "; are they (N, H, W, C)? give images.permute(0, 3, 1, 2)"
    taken = {p.dtype for p in model.parameters() if p.is_floating_point()}
    if taken and images.dtype not in taken:
        return f"; its weights are {(dtype := min(map(str, taken)))}: give images.to({dtype})"
    return ""
