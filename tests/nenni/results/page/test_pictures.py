import io
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nenni.results.page.pictures import picture

DRAWN = sorted((Path(__file__).parents[4] / "results" / "reference").rglob("*.png"))


@pytest.mark.parametrize("file", DRAWN, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_figure_is_the_same_picture_in_fewer_bytes(file: Path) -> None:
    png = file.read_bytes()
    found = picture(file.stem, "title", "sentence", png)
    assert found == picture(file.stem, "title", "sentence", png)
    before = Image.open(io.BytesIO(png)).convert("RGB")
    small = b64decode(found.source.removeprefix("data:image/png;base64,"))
    after = Image.open(io.BytesIO(small)).convert("RGB")
    assert after.size == before.size == (found.width, found.height)
    assert len(small) < len(png) / 2
    assert np.abs(np.asarray(before, float) - np.asarray(after, float)).mean() < 1
    assert found.file == f"figures/{file.stem}.png"


def test_what_is_no_picture_is_an_error_of_its_file() -> None:
    with pytest.raises(OSError, match="cannot identify"):
        picture("a", "b", "c", b"no picture")
