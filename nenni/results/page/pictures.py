"""The figures of a run, made small enough for a page: the same picture in fewer colours."""

import io
from base64 import b64encode
from dataclasses import dataclass

from PIL import Image

_COLOURS = 64


@dataclass(frozen=True)
class Picture:
    """A figure of a page.

    Attributes
    ----------
    name, title, sentence : str
        Of its file, what it is called and what it shows.
    source : str
        The picture itself, as an address that asks for no file.
    width, height : int
        In pixels.
    """

    name: str
    title: str
    sentence: str
    source: str
    width: int
    height: int

    @property
    def file(self) -> str:
        """The figure itself, from the folder of the run."""
        return f"figures/{self.name}.png"


def picture(name: str, title: str, sentence: str, png: bytes) -> Picture:
    """A figure from the PNG that the run drew.

    Parameters
    ----------
    name, title, sentence : str
        See :class:`Picture`.
    png : bytes
        The file.
    """
    with Image.open(io.BytesIO(png)) as drawn:
        few = drawn.convert("RGB").quantize(_COLOURS)
    stream = io.BytesIO()
    few.save(stream, "PNG", optimize=True)
    address = f"data:image/png;base64,{b64encode(stream.getvalue()).decode()}"
    return Picture(name, title, sentence, address, *few.size)
