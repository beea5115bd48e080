"""Labels from what a model returns."""

import torch
from torch import Tensor

from nenni.adversary.judge import Watched
from nenni.adversary.losses import is_wrong


def classes(outputs: Tensor) -> Tensor:
    """The predicted class of each sample, from logits (N, classes) or from labels (N,)."""
    return outputs.argmax(1) if outputs.dim() > 1 else outputs


def changed(first: Tensor, second: Tensor, rounding: float) -> Tensor:
    """Which samples are answered otherwise, (N,) of bool.

    Parameters
    ----------
    first, second : Tensor
        Logits (N, classes) or labels (N,) of the same samples.
    rounding : float
        Share of the logits' :func:`spread` by which one may change.
    """
    if first.dim() == 1:
        return first != second
    apart = first.double().nan_to_num() - second.double().nan_to_num()
    return apart.abs().amax(1) > rounding * spread(first)


def spread(logits: Tensor) -> Tensor:
    """What a change of some logits (N, classes) is measured by, above 0.

    The interquartile range of the two largest of each sample: a logit of -1e9, for a class that
    never is to be predicted, does not widen it, nor does a sample that is answered a million times
    as surely as others.
    """
    largest = logits.double().nan_to_num().topk(min(2, logits.shape[1]), dim=1).values
    low, high = largest.quantile(torch.tensor([0.25, 0.75]).to(largest))
    between: Tensor = high - low
    return between.clamp_min(torch.finfo(largest.dtype).tiny)


@torch.no_grad()
def wrong_share(
    model: Watched, images: Tensor, labels: Tensor, samples: int, targeted: bool = False
) -> Tensor:
    """Share of passes that misclassify each image, (N,), or, targeted, that give its label.

    Parameters
    ----------
    model : Watched
        Logits or labels are enough.
    images, labels : Tensor
        (N, C, H, W) and (N,).
    samples : int
        Passes of a randomised network; others are asked once.
    targeted : bool
        See :mod:`nenni.adversary.attacks`.
    """
    with model.one_point(images):
        passes = [model(images) for _ in range(samples if model.randomised else 1)]
    return torch.stack([is_wrong(z, labels, targeted) for z in passes]).float().mean(0)
