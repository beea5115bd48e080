"""Losses that attacks raise: logits (N, classes) and labels (N,) to one number per sample."""

import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from nenni.core.types import Loss

DLR_CLASSES = 3
"""Fewest classes for which the DLR loss is defined."""
TARGETED_DLR_CLASSES = 4
"""Fewest classes for the targeted DLR loss, which has the fourth largest logit."""


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """-log softmax(z)_y. It saturates where logits are large."""
    return F.cross_entropy(logits, labels, reduction="none")


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """max_(i != y) z_i - z_y, above 0 where the sample is misclassified.

    Carlini, Wagner: Towards evaluating the robustness of neural networks, S&P 2017, f_6.
    """
    return _largest_other(logits, labels) - logits.gather(1, labels[:, None])[:, 0]


def dlr(logits: Tensor, labels: Tensor) -> Tensor:
    """Difference of logits ratio: the margin over z_(1) - z_(3), of the sorted logits.

    Croce, Hein: Reliable evaluation of adversarial robustness with an ensemble of diverse
    parameter-free attacks, ICML 2020, eq. 6. Invariant to the scale of the logits. With fewer than
    3 classes there is no z_(3): the margin takes its place, with a warning.
    """
    if (classes := logits.shape[1]) < DLR_CLASSES:
        note = f"the DLR loss is undefined for {classes} classes; the margin took its place"
        warnings.warn(note, stacklevel=2)
        return margin(logits, labels)
    top = logits.topk(3, dim=1).values
    spread = (top[:, 0] - top[:, 2]).clamp_min(torch.finfo(logits.dtype).tiny)
    return margin(logits, labels) / spread


def probability_margin(logits: Tensor, labels: Tensor) -> Tensor:
    """max_(i != y) p_i - p_y, p = softmax(z).

    Xie et al.: Towards million-scale adversarial robustness evaluation with stronger individual
    attacks, arXiv 2411.15210, the loss of PMA. It favours images near the border over those that
    are far within either class.
    """
    return margin(logits.softmax(1), labels)


LOSSES: dict[Loss, Callable[[Tensor, Tensor], Tensor]] = {
    "ce": cross_entropy,
    "margin": margin,
    "dlr": dlr,
    "pm": probability_margin,
}


def objective(labels: Tensor, loss: Loss, targeted: bool) -> Callable[[Tensor], Tensor]:
    """The loss away from the labels, or, targeted, the negative loss towards them."""

    def away(logits: Tensor) -> Tensor:
        value = LOSSES[loss](logits, labels)
        return -value if targeted else value

    return away


def towards(labels: Tensor, targets: Tensor, loss: Loss) -> Callable[[Tensor], Tensor]:
    """What rises from the label to one other class, for each loss.

    The difference of the two logits (margin), of the two probabilities (pm), or that of the logits
    over z_(1) - (z_(3) + z_(4)) / 2, of the sorted logits (dlr: Croce, Hein, ICML 2020, eq. 8, for
    4 classes or more; with fewer, the difference alone); or log p_t (ce).
    """

    def difference(values: Tensor) -> Tensor:
        return (values.gather(1, targets[:, None]) - values.gather(1, labels[:, None]))[:, 0]

    def goal(logits: Tensor) -> Tensor:
        if loss == "ce":
            return -cross_entropy(logits, targets)
        if loss == "pm":
            return difference(logits.softmax(1))
        if loss == "margin" or logits.shape[1] < TARGETED_DLR_CLASSES:
            return difference(logits)
        top = logits.topk(4, dim=1).values
        spread = top[:, 0] - (top[:, 2] + top[:, 3]) / 2
        return difference(logits) / spread.clamp_min(torch.finfo(logits.dtype).tiny)

    return goal


def succeeds(logits: Tensor, labels: Tensor, targeted: bool = False) -> Tensor:
    """Which samples are misclassified, or, targeted, get their label; (N,) of bool.

    A tie with the label is no success, nor are logits that are not numbers.
    """
    distance = margin(logits, labels)
    return distance < 0 if targeted else distance > 0


def is_wrong(outputs: Tensor, labels: Tensor, targeted: bool = False) -> Tensor:
    """Which outputs, logits (N, classes) or labels (N,), are another class than the label, (N,).

    With `targeted`, which are that class. Outputs that are not finite are wrong, and no target.
    """
    if outputs.dim() == 1:
        usable, found = outputs >= 0, outputs
    else:
        usable, found = outputs.abs().amax(1) < torch.inf, outputs.argmax(1)
    return usable & (found == labels) if targeted else ~(usable & (found == labels))


def _largest_other(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.scatter(1, labels[:, None], -torch.inf).amax(1)
