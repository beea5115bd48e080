"""What a file of an image holds is what comes out, or it is refused in a line."""

import struct
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from damage_cases import damaged, told_in_a_line
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from nenni.core.errors import UserError
from nenni.data.image_file import check_image, read_image

RANDOM = np.random.default_rng(1)
GREY = RANDOM.integers(0, 256, (9, 7), dtype=np.uint8)
COLOUR = RANDOM.integers(0, 256, (9, 7, 3), dtype=np.uint8)
FORMATS = ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "PPM"]


def bytes_of(array: NDArray[Any], name: str, **options: Any) -> bytes:
    to = BytesIO()
    Image.fromarray(array).save(to, name, **options)
    return to.getvalue()


@pytest.mark.parametrize("name", ["PNG", "TIFF", "PPM"])
def test_of_sixteen_bits_the_upper_eight_are_kept(name: str, tmp_path: Path) -> None:
    sixteen = np.linspace(0, 65535, 63).reshape(9, 7).astype(np.uint16)
    (tmp_path / "x").write_bytes(bytes_of(sixteen, name))
    found = read_image(tmp_path / "x", None)
    assert found.shape == (3, 9, 7)
    assert np.abs(found[0] - sixteen / 257).max() <= 0.5
    assert found.max() == 255, "white"
    assert found.min() == 0, "black"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_images_of_bytes_are_as_pillow_shows_them(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(COLOUR).convert(mode)
    image.save(tmp_path / "x", "TIFF")
    expected = np.moveaxis(np.asarray(image.convert("RGB")), -1, 0)
    assert np.array_equal(read_image(tmp_path / "x", None), expected)


@pytest.mark.parametrize(
    "numbers", [GREY.astype(np.int32) * 1000, GREY.astype(np.float32) / 255], ids=["int", "float"]
)
def test_numbers_without_black_and_white_are_refused(numbers: NDArray[Any], tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_bytes(bytes_of(numbers, "TIFF"))
    for read in (lambda file: read_image(file, None), check_image):
        with pytest.raises(UserError, match=r"x.tif: holds 32-bit or real numbers .* 8 or 16 bits"):
            read(tmp_path / "x.tif")


def tiff(data: bytes, bits: int, *, photometric: int = 1, kind: int = 1) -> bytes:
    """One row of two grey pixels."""
    tags = [
        (256, 2), (257, 1), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1), (278, 1),
        (279, len(data)), (339, kind),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in tags)
    body = data.ljust(4, b"\0")
    return (
        struct.pack("<2sHI", b"II", 42, 8 + len(body)) + body
        + struct.pack("<H", len(tags)) + entries + bytes(4)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("file", "grey"),
    [
        (tiff(b"\x0f", 4), [0, 255]),
        (tiff(b"\0\xff", 8), [0, 255]),
        (tiff(b"\0\xff", 8, photometric=0), [255, 0]),
        (tiff(b"\0\0\xff\xff", 16), [0, 255]),
    ],
)
def test_a_tiff_is_as_its_tags_say(file: bytes, grey: list[int], tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_bytes(file)
    assert read_image(tmp_path / "x.tif", None)[0].tolist() == [grey]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (tiff(b"\xff\xff\xff", 12), "numbers of 12 bits; save it with 8 or 16 bits"),
        (tiff(b"\0\0\xff\xff", 16, photometric=0), "white is 0; save it .* black as 0"),
        (tiff(b"\0\xff", 8, kind=2), "numbers below 0 too; save it with those from 0 up"),
    ],
)
def test_a_tiff_that_would_be_read_as_another(file: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_bytes(file)
    for read in (lambda file: read_image(file, None), check_image):
        with pytest.raises(UserError, match=f"x.tif: is a TIFF of {message}"):
            read(tmp_path / "x.tif")


@pytest.mark.parametrize("name", ["TIFF", "WEBP", "PNG"])
def test_several_pictures_in_a_file_are_refused(name: str, tmp_path: Path) -> None:
    pages = [Image.fromarray(COLOUR), Image.fromarray(255 - COLOUR)]
    pages[0].save(tmp_path / "x", name, save_all=True, append_images=pages[1:])
    with pytest.raises(UserError, match="x: holds 2 pictures; save each in a file of its own"):
        read_image(tmp_path / "x", None)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_is_turned_as_people_see_it(name: str, tmp_path: Path) -> None:
    upright = np.zeros((16, 8, 3), np.uint8)
    upright[:8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = np.rot90(upright)
    (tmp_path / "x").write_bytes(bytes_of(np.ascontiguousarray(lying), name, exif=exif))
    found = read_image(tmp_path / "x", None)
    assert found.shape == (3, 16, 8)
    assert found[:, :6].min() > 200
    assert found[:, 10:].max() < 50


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60)
@given(data=st.data())
def test_damage_is_told_in_a_line(name: str, data: st.DataObject) -> None:
    """Whatever the decoder makes of it: an image, or one sentence with the file's name."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "x.img"
        file.write_bytes(damaged(bytes_of(COLOUR, name), data))
        with told_in_a_line(file):
            read_image(file, 8)
        with told_in_a_line(file):
            check_image(file)


def test_a_header_that_claims_too_much_is_refused(tmp_path: Path) -> None:
    bmp = bytearray(bytes_of(COLOUR, "BMP"))
    bmp[18:26] = struct.pack("<ii", 60_000, 60_000)
    (tmp_path / "x.bmp").write_bytes(bmp)
    with pytest.raises(UserError, match=r"x.bmp: .*3600000000 pixels\) exceeds limit"):
        read_image(tmp_path / "x.bmp", 8)
