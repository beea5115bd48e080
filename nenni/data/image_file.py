"""One file of an image: what it holds is looked at before it is taken for bytes."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    PHOTOMETRIC_INTERPRETATION,
    SAMPLEFORMAT,
    TiffImageFile,
)

from nenni.core.errors import UserError, in_a_line

EXTENSIONS = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Files that count as images."""

_OF_BYTES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB")
_OF_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_SIXTEEN_BITS_AS_I = ("PNG", "PPM")
"""Formats of which some versions of Pillow read 16 bits as mode I."""
_FIRST_OF_SEVERAL = ("MPO",)
"""Formats whose further pictures are views of the first, as phones write them."""
_WHITE_IS_ZERO, _SIGNED = 0, 2
"""Values of a TIFF's photometric interpretation and sample format."""


def read_image(file: Path, size: int | None) -> NDArray[np.uint8]:
    """An image as bytes (3, H, W), turned as its EXIF data says.

    Of 16 bits the upper 8 are kept: 65,535 is white.

    Parameters
    ----------
    file : Path
        Of any format that Pillow reads.
    size : int or None
        The shorter side gets so many pixels (bilinear, with antialiasing), and the middle square
        is cut out. None leaves the image as it is.

    Raises
    ------
    UserError
        If it cannot be decoded, or holds what has no black and white: 32-bit or real numbers, or
        several pictures; or if it is a TIFF of 9 to 15 bits, of 16 bits whose white is 0, or of
        signed numbers, which Pillow would give as others.
    """
    with _opened(file) as opened:
        image = _of_bytes(ImageOps.exif_transpose(opened))
        if size is not None:
            scale = size / min(image.size)
            width, height = (max(size, round(side * scale)) for side in image.size)
            left, top = (width - size) // 2, (height - size) // 2
            image = image.resize((width, height), Image.Resampling.BILINEAR)
            image = image.crop((left, top, left + size, top + size))
        return np.ascontiguousarray(np.moveaxis(np.asarray(image), -1, 0))


def check_image(file: Path) -> None:
    """Raise a UserError if a file does not begin as an image does; quicker than decoding it."""
    with _opened(file) as opened:
        opened.verify()


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    """A file whose header is one of a single picture of 8 or 16 bits.

    Pillow refuses by the header what would take gigabytes.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(file) as image:
            _check_header(file, image)
            yield image
    except UserError:
        raise
    except Exception as error:  # a damaged file may fail anywhere in a decoder
        told = in_a_line(error).replace(f" {str(file)!r}", "")
        raise UserError(
            f"{file}: cannot be decoded as an image ({told}); replace it, or take it away"
        ) from error


def _check_header(file: Path, image: Image.Image) -> None:
    if not (image.mode in _OF_BYTES or _of_sixteen_bits(image)):
        raise UserError(
            f"{file}: holds 32-bit or real numbers (mode {image.mode}), of which nothing says what "
            "is black and what is white; save it with 8 or 16 bits"
        )
    if isinstance(image, TiffImageFile):
        _check_tags(file, image)
    count = getattr(image, "n_frames", 1)
    if count > 1 and image.format not in _FIRST_OF_SEVERAL:
        raise UserError(f"{file}: holds {count} pictures; save each in a file of its own")


def _check_tags(file: Path, image: TiffImageFile) -> None:
    """Refuse what a TIFF says of its numbers and Pillow leaves aside."""
    bits, kinds = image.tag_v2.get(BITSPERSAMPLE, (1,)), image.tag_v2.get(SAMPLEFORMAT, (1,))
    upside_down = image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == _WHITE_IS_ZERO
    if max(bits) > 8 and (max(bits) < 16 or upside_down):
        said = "white is 0" if upside_down else f"numbers of {max(bits)} bits"
        raise UserError(f"{file}: is a TIFF of {said}; save it with 8 or 16 bits and black as 0")
    if _SIGNED in kinds:
        raise UserError(f"{file}: is a TIFF of numbers below 0 too; save it with those from 0 up")


def _of_sixteen_bits(image: Image.Image) -> bool:
    return image.mode in _OF_SIXTEEN_BITS or (
        image.mode == "I" and image.format in _SIXTEEN_BITS_AS_I
    )


def _of_bytes(image: Image.Image) -> Image.Image:
    """The same in RGB; each of 16 bits is rounded to the nearest of 8."""
    if image.mode in _OF_BYTES:
        return image.convert("RGB")
    numbers = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((numbers + 128) // 257).astype(np.uint8)).convert("RGB")
