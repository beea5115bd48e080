"""Any classifier of torchvision."""

from torch import nn

from nenni.core.errors import UserError
from nenni.core.types import Deviation, Number, Values
from nenni.networks.channels import check_colour
from nenni.networks.normalisation import normalisation

__all__ = ["torchvision"]


def torchvision(
    input_shape: tuple[int, int, int],
    n_classes: int,
    *,
    model: str,
    mean: Values[Number] = [0.485, 0.456, 0.406],  # noqa: B006 - read from the source as a default
    std: Values[Deviation] = [0.229, 0.224, 0.225],  # noqa: B006
) -> nn.Sequential:
    """A network of torchvision.models with fresh weights, behind its normalisation.

    Parameters
    ----------
    input_shape : tuple
        (3, H, W) of the images; vision transformers are made for that size.
    n_classes : int
        Number of outputs.
    model : str
        E.g. ``resnet50``, ``efficientnet_b0``, ``vit_b_16``.
    mean, std : list of float
        Normalisation of the [0, 1] images; by default that of ImageNet.

    Raises
    ------
    UserError
        If torchvision has no such classifier, or it cannot be made for such images.
    """
    from torchvision import models

    if model not in models.list_models(models):
        listed = ", ".join(models.list_models(models))
        raise UserError(f"torchvision has no classifier '{model}'; it has: {listed}")
    channels, height, width = input_shape
    check_colour(channels)
    sized = {"image_size": height} if model.startswith("vit_") else {}
    if sized and height != width:
        raise UserError(f"{model} takes square images, these are {height} x {width}")
    try:
        network = models.get_model(model, weights=None, num_classes=n_classes, **sized)
    except (ValueError, RuntimeError, AssertionError) as error:
        raise UserError(f"{model} cannot be made for images {input_shape}: {error}") from error
    return nn.Sequential(normalisation(channels, mean, std), network)
