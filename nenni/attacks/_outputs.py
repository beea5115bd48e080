"""Labels from what a model returns."""

from torch import Tensor

LABELS_ONLY = 1
"""Dimensions of the output of a model that returns labels (N,) in place of logits."""


def classes(outputs: Tensor) -> Tensor:
    """The predicted class of each sample, from logits (N, classes) or from labels (N,)."""
    return outputs if outputs.dim() == LABELS_ONLY else outputs.argmax(1)
