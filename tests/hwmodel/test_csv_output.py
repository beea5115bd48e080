"""Cells, tables and files that a failed write leaves alone."""

from pathlib import Path
from typing import Any

import pytest

from hwmodel.csv_output import format_cell, format_csv, write_atomically


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        write_atomically(path, "new")
    assert caught.value.filename == str(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (5.0, "5"),
        (0.1, "0.1"),
        (1e-7, "1e-07"),
        (2**53 + 2, "9007199254740994"),
        ("4x4", "4x4"),
    ],
)
def test_format_cell(value: Any, expected: str) -> None:
    assert format_cell(value) == expected


def test_format_csv() -> None:
    assert format_csv(("a", "b"), [("x,y", None), ("z", 2.5)]) == 'a,b\n"x,y",\nz,2.5\n'
