import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
import torch
from damage_cases import damaged, told_in_a_line
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from nenni.core import io
from nenni.core.errors import UserError


def test_tensors_round_trip_in_the_same_bytes(tmp_path: Path) -> None:
    tensors = {"b": torch.arange(3), "a": torch.randn(2, 2)}
    meta = {"z": 1, "a": [1, 2], "m": {"y": 0.5, "x": None}}
    io.write_tensors(tmp_path / "one", tensors, meta)
    io.write_tensors(
        tmp_path / "two", dict(reversed(tensors.items())), dict(reversed(meta.items()))
    )
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    found, about = io.read_tensors(tmp_path / "one")
    assert about == meta
    assert all(torch.equal(found[k], v) for k, v in tensors.items())


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    with pytest.raises(UserError, match=r"weights.safetensors: is missing"):
        io.read_tensors(file)
    io.write_tensors(file, {"a": torch.randn(100)}, {})
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(UserError, match=r"weights.safetensors: is damaged.*delete it and run"):
        io.read_tensors(file)
    table = tmp_path / "table.csv"
    with pytest.raises(UserError, match="is missing"):
        io.read_csv(table)
    table.write_text("")
    with pytest.raises(UserError, match="is damaged"):
        io.read_csv(table)


def test_cells_are_read_as_text_where_asked(tmp_path: Path) -> None:
    """A hash may look like a number."""
    cells = {"a": ["0012", "1e400"], "b": ["", "2024.10"]}
    io.write_csv(tmp_path / "t.csv", pd.DataFrame(cells))
    assert io.read_csv(tmp_path / "t.csv", text=True).to_dict("list") == cells
    with pytest.raises(UserError, match="is missing"):
        io.read_csv(tmp_path / "none.csv", text=True)


def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "t.csv"
    io.write_csv(file, pd.DataFrame({"a": [1]}))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"t\.csv: no space is left"):
        io.write_csv(file, pd.DataFrame({"a": [2]}))
    assert file.read_text() == "a\n1\n"
    assert [f.name for f in tmp_path.iterdir()] == ["t.csv"]


def test_a_crash_while_writing_keeps_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "t"
    io.write_text(file, "old")

    def crash(path: Path) -> None:
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        io.write_atomically(file, crash)
    assert file.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_unwritable_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        io.write_text(tmp_path / "file" / "below", "x")


def test_csv_keeps_eight_digits(tmp_path: Path) -> None:
    io.write_csv(tmp_path / "t", pd.DataFrame({"a": [1 / 3, 1.0, float("nan")], "b": [1, 2, 3]}))
    assert (tmp_path / "t").read_bytes() == b"a,b\n0.33333333,1\n1,2\n,3\n"


@settings(max_examples=40)
@given(
    st.sampled_from(io.NAMED),
    st.lists(
        st.sampled_from(
            ["1.1", "1.10", "2", "05", "5", "1e3", "inf", "nan", "null", "true", "None", "NA", "_1"]
        ),
        min_size=1,
    ),
)
def test_names_are_the_same_when_they_are_read_again(column: str, names: list[str]) -> None:
    """Whatever they look like: a layer of nn.Sequential is a number to pandas."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "t.csv"
        numbers = [1.5, *[float("nan")] * (len(names) - 1)]
        io.write_csv(file, pd.DataFrame({column: names, "n": numbers}))
        table = io.read_csv(file)
        assert table[column].tolist() == names
        assert table["n"].dtype == float
        assert table["n"].isna().tolist() == [False, *[True] * (len(names) - 1)]


@given(eps=st.lists(st.floats(0, 1), min_size=1))
def test_eps_is_the_same_number_when_it_is_read_again(eps: list[float]) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "t.csv"
        io.write_csv(file, pd.DataFrame({"eps": eps}))
        assert io.read_csv(file)["eps"].tolist() == eps


def test_a_link_stays_one_and_a_device_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "real" / "t.csv")
    for number in (1, 2):
        io.write_text(tmp_path / "link.csv", str(number))
        assert (tmp_path / "link.csv").is_symlink()
        assert (tmp_path / "real" / "t.csv").read_text() == str(number)
    assert [file.name for file in (tmp_path / "real").iterdir()] == ["t.csv"]
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    io.write_text(tmp_path / "pipe", "text")
    assert os.read(reader, 100) == b"text"
    os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    with pytest.raises(UserError, match="real: is a folder; name a file"):
        io.write_text(tmp_path / "real", "text")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_device_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="/dev/full: no space is left"):
        io.write_json(Path("/dev/full"), {"a": 1})
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def wrote(file: Path) -> None:
    match file.suffix:
        case ".json":
            io.write_json(file, {"a": [1, 2.5, "x"], "b": {"c": None}})
        case ".csv":
            io.write_csv(file, pd.DataFrame({"eps": [0.1, 0.2], "name": ["x", "y"]}))
        case ".pt":
            torch.save({"w": torch.arange(6.0), "b": torch.ones(2)}, file)
        case ".safetensors":
            io.write_tensors(file, {"w": torch.arange(6.0)}, {"a": 1})


READ: dict[str, Callable[[Path], object]] = {
    ".json": io.read_json,
    ".csv": io.read_csv,
    ".pt": io.foreign_tensors,
    ".safetensors": io.read_tensors,
}


@pytest.mark.parametrize("suffix", READ)
@settings(max_examples=80)
@given(data=st.data())
def test_damage_is_told_in_a_line(suffix: str, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"x{suffix}"
        wrote(file)
        file.write_bytes(damaged(file.read_bytes(), data))
        with told_in_a_line(file):
            READ[suffix](file)


def test_tensors_of_others_may_have_any_name(tmp_path: Path) -> None:
    save_file({"state_dict": torch.ones(2)}, tmp_path / "x.safetensors")
    assert list(io.foreign_tensors(tmp_path / "x.safetensors")) == ["state_dict"]


@pytest.mark.parametrize("suffix", READ)
def test_a_folder_in_place_of_a_file_is_told(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"x{suffix}").mkdir()
    with pytest.raises(UserError, match=rf"x{suffix}: "):
        READ[suffix](tmp_path / f"x{suffix}")


def test_a_deeply_nested_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"x.json: is damaged \(maximum recursion depth"):
        io.read_json(tmp_path / "x.json")
