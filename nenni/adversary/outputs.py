"""Labels from what a model returns."""

from torch import Tensor


def classes(outputs: Tensor) -> Tensor:
    """The predicted class of each sample, from logits (N, classes) or from labels (N,)."""
    return outputs.argmax(1) if outputs.dim() > 1 else outputs
