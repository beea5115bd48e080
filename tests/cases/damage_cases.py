"""Damaged files, and what may come of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import strategies as st

from nenni.core.errors import UserError


def damaged(good: bytes, data: st.DataObject) -> bytes:
    """Up to four bytes are changed, and the end is cut off somewhere."""
    found = bytearray(good)
    places = st.tuples(st.integers(0, len(good) - 1), st.integers(1, 255))
    for place, flip in data.draw(st.lists(places, max_size=4)):
        found[place] ^= flip
    return bytes(found[: data.draw(st.integers(0, len(good)))])


@contextmanager
def told_in_a_line(file: Path) -> Iterator[None]:
    """What is within works, or fails in one sentence that names the file."""
    told = f"{file}: "
    try:
        yield
    except UserError as error:
        told = str(error)
    assert told.startswith(f"{file}: ")
    assert "\n" not in told
