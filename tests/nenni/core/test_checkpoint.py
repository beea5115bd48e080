import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nenni.core.checkpoint import Checkpoint
from nenni.core.errors import UserError

STATE = {"weights": torch.arange(600.0), "history": [{"epoch": 1, "loss": 0.5}], "inside": None}


def kept(folder: Path) -> Checkpoint:
    checkpoint = Checkpoint(folder / "work-1.pt")
    checkpoint.save(STATE)
    return checkpoint


def test_a_state_is_found_again_and_forgotten(tmp_path: Path) -> None:
    found = kept(tmp_path).load()
    assert torch.equal(found.pop("weights"), STATE["weights"])
    assert found == {key: value for key, value in STATE.items() if key != "weights"}
    kept(tmp_path).discard()
    assert Checkpoint(tmp_path / "work-1.pt").load() is None
    Checkpoint().save(STATE)
    assert Checkpoint().load() is None


@given(data=st.data())
def test_no_flipped_bit_is_believed(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "flipped"
    checkpoint = kept(folder)
    assert checkpoint.file is not None
    content = bytearray(checkpoint.file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    checkpoint.file.write_bytes(content)
    assert checkpoint.load() is None


@given(content=st.binary(max_size=200))
def test_any_bytes_are_no_state(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "any.pt"
    lines: list[str] = []
    for start in (b"", b"nenni checkpoint\n", b"nenni checkpoint\nany.pt\n"):
        file.write_bytes(start + content)
        assert Checkpoint(file).load(lines.append) is None
    assert len(lines) == 3
    assert all(line.startswith(f"{file}: is damaged") for line in lines)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def a_list_in_its_place(file: Path) -> None:
    torch.save([1, 2], file)


def a_folder_in_its_place(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("damage", [cut, a_list_in_its_place, a_folder_in_its_place])
def test_what_is_damaged_counts_as_none(tmp_path: Path, damage: Any) -> None:
    checkpoint = kept(tmp_path)
    damage(checkpoint.file)
    assert checkpoint.load() is None


def test_that_of_other_work_counts_as_none(tmp_path: Path) -> None:
    """Under another name, or another key; a file that was moved is known by its key."""
    first = kept(tmp_path)
    assert first.file is not None
    shutil.copy(first.file, tmp_path / "work-2.pt")
    assert Checkpoint(tmp_path / "work-2.pt").load() is None
    mine = Checkpoint(tmp_path / "mine.pt", "a key")
    mine.save(STATE)
    assert Checkpoint(tmp_path / "mine.pt", "another key").load() is None
    shutil.move(tmp_path / "mine.pt", tmp_path / "moved.pt")
    assert Checkpoint(tmp_path / "moved.pt", "a key").load() is not None


def test_a_full_disk_is_explained_for_checkpoints_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="no space is left"):
        Checkpoint(tmp_path / "c.pt").save({"a": torch.zeros(3)})
