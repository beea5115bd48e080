"""Weights that a layer computes from its parameters before each pass."""

from torch import nn
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

_HOOKS = WeightNorm | SpectralNorm | BasePruningMethod


def compute_anew(layer: nn.Module) -> None:
    """Let a layer compute its weight, where a hook of torch's does so before each pass.

    ``weight_norm``, ``spectral_norm`` and ``prune`` of ``torch.nn.utils`` keep as ``weight`` what
    the last pass computed; whoever reads it without a pass has to ask for it anew.
    """
    for hook in layer._forward_pre_hooks.values():
        if isinstance(hook, _HOOKS):
            hook(layer, ())


def has_other_hooks(layer: nn.Module) -> bool:
    """Whether hooks run with a layer besides those that compute its weight."""
    before = layer._forward_pre_hooks.values()
    return bool(layer._forward_hooks) or not all(isinstance(hook, _HOOKS) for hook in before)
