"""Which channels of images a model takes, as far as its config tells: read without torch."""

from collections.abc import Mapping, Sequence
from typing import Any

from nenni.core.errors import UserError


def check_channels(model: Mapping[str, Any], channels: int) -> None:
    """Refuse a model whose config is at odds with the channels of its images.

    Parameters
    ----------
    model : dict
        A checked config.
    channels : int
        Of the images.

    Raises
    ------
    UserError
        Saying which of its arguments does not fit.
    """
    if model["name"] == "torchvision":
        check_colour(channels)
    for key in ("mean", "std"):
        if key in model:
            check_each(key, model[key], channels)


def check_colour(channels: int) -> None:
    """Refuse images without three channels, for networks that are made for three."""
    if channels != 3:
        raise UserError(f"torchvision's networks take 3 channels, the images have {channels}")


def check_each(key: str, values: Sequence[float], channels: int) -> None:
    """Refuse what is neither one number for all channels nor one for each."""
    if len(values) not in (1, channels):
        expected = "1 number" if channels == 1 else f"1 or {channels} numbers"
        raise UserError(
            f"a model's {key} should hold {expected} for images with {channels} channel"
            f"{'s' * (channels > 1)}, holds {len(values)}"
        )
