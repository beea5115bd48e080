"""What must hold before a number means anything: of a model in evaluation, and of its data."""

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from nenni.core.errors import UserError
from nenni.core.seeding import seeded
from nenni.data.batches import check_labels


@torch.no_grad()
def check_classifier(model: nn.Module, images: Tensor) -> int | None:
    """Number of classes of a classifier; None if it returns labels only.

    Raises
    ------
    UserError
        If the model is in train mode, the images are no images or not accepted, or what returns is
        neither logits (N, classes) nor labels (N,).
    """
    if any(is_lazy(parameter) for parameter in model.parameters()):
        raise UserError(
            "the model has layers without weights yet (lazy modules): load its weights, or ask it "
            "once, first"
        )
    if any(getattr(module, "training", False) for module in model.modules()):
        raise UserError(
            "the model is in train mode, where dropout and batch norm give other answers: call "
            "model.eval() first"
        )
    _check_type(images)
    shape = tuple(images.shape)
    try:
        with seeded("preconditions"):
            outputs = model(images.clone())
    except Exception as error:
        what = f"{images.dtype} of shape {shape}"
        told = f"{type(error).__name__}: {error}".rstrip(": ")
        raise UserError(f"the model does not accept images, {what}: {told}") from error
    if not isinstance(outputs, Tensor):
        raise UserError(f"the model returns a {type(outputs).__name__}; it should return logits")
    if outputs.dim() == 1 and len(outputs) == len(images) and not outputs.is_floating_point():
        return None
    if outputs.dim() != 2 or len(outputs) != len(images) or not outputs.is_floating_point():
        raise UserError(
            f"the model returns {outputs.dtype} of shape {tuple(outputs.shape)} for images of "
            f"shape {shape}; it should return logits (N, classes), or labels (N,) of int64"
        )
    if outputs.shape[1] < 2:
        raise UserError("the model returns one number per image: give it one logit per class")
    return outputs.shape[1]


def check_data(images: Tensor, labels: Tensor, classes: int | None) -> None:
    """Refuse images that are no images in [0, 1], and labels that are no classes of the model.

    Raises
    ------
    UserError
        Saying what is wrong and where.
    """
    if len(images) == 0:
        raise UserError("there are no images")
    _check_type(images)
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):
        raise UserError(
            f"images should be in [0, 1], where eps is meant; these go from {low:g} to {high:g}: "
            "leave normalisation to the model"
        )
    check_labels(images, labels)
    bad = (labels < 0) | (labels >= classes) if classes is not None else labels < 0
    if bool(bad.any()):
        first = int(bad.nonzero()[0])
        known = "" if classes is None else f", and the model knows 0 to {classes - 1}"
        raise UserError(f"the label of image {first} is {int(labels[first])}{known}")


def _check_type(images: Tensor) -> None:
    if not images.is_floating_point() or images.dim() < 2:
        raise UserError(
            f"images should be floating-point (N, C, H, W), got {images.dtype} of shape "
            f"{tuple(images.shape)}; divide bytes by 255"
        )
