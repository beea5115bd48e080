"""What of z~ a selection ranks, and how a mask becomes smooth."""

import sys

import torch
import torch.nn.functional as F
from torch import Tensor

from nenni.core.square_root import square_root
from nenni.networks.tracing import BatchNorm

TEMPERATURE = 0.1
"""Width of a soft mask where nobody says otherwise, in standard deviations of a sample's scores."""

_NO_EPS = sys.float_info.min
"""Adds nothing to a variance; some versions of torch refuse 0."""


def through_batch_norm(z: Tensor, bn: BatchNorm) -> Tensor:
    """Z (N, C, ...) as it leaves a batch norm, by its running statistics.

    Its weight and bias get no gradient.
    """
    assert bn.running_mean is not None
    assert bn.running_var is not None
    weight = None if bn.weight is None else bn.weight.detach()
    bias = None if bn.bias is None else bn.bias.detach()
    return F.batch_norm(z, bn.running_mean, bn.running_var, weight, bias, False, 0.0, bn.eps)


def standardised(z: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """(z - mean) / sqrt(variance) of z (N, C, ...), statistics per channel (C,)."""
    return F.batch_norm(z, mean, variance, None, None, False, 0.0, _NO_EPS)


def soft_step(score: Tensor, margin: Tensor, temperature: float) -> Tensor:
    """Sigmoid of the distance from the border of the mask, in place of the step; differentiable.

    Parameters
    ----------
    score : Tensor
        Scores (N, C, ...).
    margin : Tensor
        How far each is from changing sides, positive in the mask, of the same shape.
    temperature : float
        Width, in standard deviations of a sample's scores, which are constant in the backward
        pass.
    """
    rows = score.detach().flatten(1)
    variance = (rows - rows.mean(1, keepdim=True)).square().mean(1)
    deviation = square_root(variance).nan_to_num(nan=0.0)
    width = temperature * deviation.clamp_min(torch.finfo(score.dtype).tiny)
    return torch.sigmoid(margin / width.view(-1, *(1,) * (score.dim() - 1)))
