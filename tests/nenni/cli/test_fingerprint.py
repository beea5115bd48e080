"""The command tells what it finds, keeps it in a table, and compares."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from instruction_sets import needs_avx2

from nenni.cli.main import main
from nenni.core.instruction_set import STEERING
from nenni.core.io import read_csv

FOUND = {
    "processor": "A", "model": "family 1", "caches": "", "libc": "glibc 2.36", "torch": "2.5.0",
    "instruction_set": "avx2", "environment": "MKL_CBWR=COMPATIBLE", "mkl": "2024.10",
    "all": "1e400", "sums": "0012", "convolutions": "abc",
}  # fmt: skip


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the next call finds."""
    told = dict(FOUND)
    monkeypatch.setattr("nenni.run.fingerprint.fingerprint", lambda: dict(told))
    return told


def rows(file: Path) -> list[dict[str, Any]]:
    return read_csv(file, text=True).to_dict("records")


def test_it_prints_a_line_each(found: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fingerprint"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*FOUND]
    assert lines[-1].endswith("abc")


def test_a_row_is_kept_once(
    found: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "folder" / "t.csv"
    words = ["fingerprint", "--out", str(table)]
    assert main(words) == main(words) == 0
    assert rows(table) == [FOUND]
    assert capsys.readouterr().out.endswith(f"\n{table}: 1 rows\n")
    found["sums"] = "0013"  # the same machine: the row is replaced
    assert main(words) == 0
    assert rows(table) == [FOUND | {"sums": "0013"}]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"processor": "B"}, "A, family 1, 2.5.0, MKL_CBWR=COMPATIBLE: the same bytes"),
        ({"torch": "2.6.0"}, "A, family 1, 2.5.0, MKL_CBWR=COMPATIBLE: the same bytes"),
        ({"processor": "B", "sums": "9", "convolutions": "d"}, "other bytes in sums, convolutions"),
        ({"instruction_set": "auto", "environment": ""}, "t.csv: 2 rows"),
    ],
)
def test_other_rows_are_compared(
    other: dict[str, str], said: str, found: dict[str, str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    words = ["fingerprint", "--out", str(tmp_path / "t.csv")]
    main(words)
    capsys.readouterr()
    found |= other
    main(words)
    assert capsys.readouterr().out.splitlines()[-1].endswith(said)
    assert rows(tmp_path / "t.csv") == [FOUND, FOUND | other]


def test_an_emulated_processor_is_named(found: dict[str, str], tmp_path: Path) -> None:
    main(["fingerprint", "--out", str(tmp_path / "t.csv"), "--processor", "QEMU B"])
    assert rows(tmp_path / "t.csv") == [FOUND | {"processor": "QEMU B", "model": ""}]


@pytest.mark.long
@needs_avx2
def test_it_computes_with_the_instruction_set_that_is_asked_for(tmp_path: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if name not in STEERING}
    words = ["fingerprint", "--instruction-set", "avx2", "--out", str(tmp_path / "t.csv")]
    done = subprocess.run([sys.executable, "-m", "nenni", *words], env=inherited, check=False)
    assert done.returncode == 0
    (row,) = rows(tmp_path / "t.csv")
    assert (row["instruction_set"], row["aten"]) == ("avx2", "AVX2")


@pytest.mark.parametrize("name", ["sse2", "AVX2"])
def test_an_instruction_set_that_is_none(name: str) -> None:
    with pytest.raises(SystemExit):
        main(["fingerprint", "--instruction-set", name])


def test_a_table_that_is_damaged(
    found: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_text("", encoding="utf-8")
    assert main(["fingerprint", "--out", str(tmp_path / "t.csv")]) == 2
    assert "t.csv: is damaged" in capsys.readouterr().err
