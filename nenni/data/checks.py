"""What images and their labels have to be before a network is asked about them."""

from numbers import Integral

import torch
from torch import Tensor

from nenni.core.errors import UserError


def check_data(images: Tensor, labels: Tensor, classes: int | None) -> None:
    """Refuse images that are no images in [0, 1], and labels that are no classes of the model.

    Raises
    ------
    UserError
        Saying what is wrong and where.
    """
    if len(images) == 0:
        raise UserError("there are no images")
    check_images(images)
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


def check_labels(images: Tensor, labels: Tensor) -> None:
    """Refuse what is not one class for each image.

    Raises
    ------
    UserError
        Saying what is wrong, and the remedy.
    """
    if labels.dim() == 1 and len(labels) != len(images):
        raise UserError(f"there are {len(images)} images and {len(labels)} labels")
    plain = not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool)
    if labels.is_meta:
        raise UserError("labels are on the device meta, which holds no numbers")
    if labels.dim() != 1 or not plain:
        raise UserError(
            f"labels should be whole numbers of shape ({len(images)},), got {labels.dtype} of "
            f"shape {tuple(labels.shape)}: give labels.argmax(1) if they are one-hot, or else "
            "labels.flatten().long()"
        )
    if labels.dtype == torch.uint64 and bool((labels.long() < 0).any()):
        raise UserError("labels should be classes from 0; some of these are 2**63 or more")


def check_images(images: Tensor) -> None:
    """Refuse what are no real numbers (N, ...), or none that can be read.

    Raises
    ------
    UserError
        Saying what they are, and the remedy.
    """
    check_readable(images)
    if not images.is_floating_point() or images.dim() < 2:
        raise UserError(
            f"images should be floating-point (N, C, H, W), got {images.dtype} of shape "
            f"{tuple(images.shape)}; divide bytes by 255"
        )


def check_readable(images: Tensor) -> None:
    """Refuse tensors without numbers: on the device meta, sparse, or with a side of 0.

    Raises
    ------
    UserError
        Saying which of these they are.
    """
    shape = tuple(images.shape)
    if images.is_meta:
        raise UserError(f"images of shape {shape} are on the device meta, which holds no numbers")
    if images.layout != torch.strided:
        raise UserError(f"images are {images.layout}: give images.to_dense()")
    if len(images) and not images.numel():
        raise UserError(f"images of shape {shape} have no pixels")


def check_count(name: str, value: object) -> None:
    """Refuse what is no whole number of 1 or more.

    Raises
    ------
    UserError
        Naming the parameter.
    """
    if type(value) is bool or not isinstance(value, Integral) or value < 1:
        raise UserError(f"{name} should be a whole number of 1 or more, got {value!r}")
