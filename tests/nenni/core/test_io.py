import errno
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

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


def test_manifest_finds_changed_and_missing_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        Path(name).write_text(name)
    io.write_manifest(Path("m.sha256"), [Path("c"), Path("a"), Path("b")])
    assert io.check_manifest(Path("m.sha256")) == []
    assert [line.split("  ")[1] for line in Path("m.sha256").read_text().splitlines()] == [
        "a",
        "b",
        "c",
    ]
    Path("a").write_text("")
    Path("b").unlink()
    assert io.check_manifest(Path("m.sha256")) == [
        "a: is not what was written; delete it and run snakemake again",
        "b: is missing; run snakemake again",
    ]


def test_a_damaged_manifest_is_a_problem(tmp_path: Path) -> None:
    manifest = tmp_path / "m.sha256"
    for content in ("", "12ab", "12ab  x"):
        manifest.write_text(content)
        assert io.check_manifest(manifest) == [
            f"{manifest}: is damaged; delete it and run snakemake again"
        ]


def test_csv_keeps_eight_digits(tmp_path: Path) -> None:
    io.write_csv(tmp_path / "t", pd.DataFrame({"a": [1 / 3, 1.0, float("nan")], "b": [1, 2, 3]}))
    assert (tmp_path / "t").read_bytes() == b"a,b\n0.33333333,1\n1,2\n,3\n"


@given(eps=st.lists(st.floats(0, 1), min_size=1))
def test_eps_is_the_same_number_when_it_is_read_again(eps: list[float]) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "t.csv"
        io.write_csv(file, pd.DataFrame({"eps": eps}))
        assert io.read_csv(file)["eps"].tolist() == eps
