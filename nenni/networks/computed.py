"""Weights that a layer computes from its parameters before each pass."""

from torch import nn
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm


def compute_anew(layer: nn.Module) -> None:
    """Let a layer compute its weight, where a hook of torch's does so before each pass.

    ``weight_norm``, ``spectral_norm`` and ``prune`` of ``torch.nn.utils`` keep as ``weight`` what
    the last pass computed; whoever reads it without a pass has to ask for it anew.
    """
    for hook in layer._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm | SpectralNorm | BasePruningMethod):
            hook(layer, ())
