"""A fingerprint repeats, changes with what it is of, and is that of the table where it is known."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from instruction_sets import MISSING

from nenni.core.instruction_set import NAMES, STEERING, variables
from nenni.core.io import read_csv
from nenni.run import fingerprint
from nenni.run.fingerprint import PARTS, SAME_KIND, is_same_kind, parts_that_differ

TABLE = Path(__file__).parents[3] / "results" / "reference" / "fingerprints.csv"
QUICK = [part for part in PARTS if part not in ("training", "fitting", "pipeline")]


def known() -> list[dict[str, Any]]:
    return read_csv(TABLE, text=True).to_dict("records")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """This machine's, with each instruction set that it has, each in a process of its own."""
    table = tmp_path_factory.mktemp("fingerprints") / "t.csv"
    inherited = {name: value for name, value in os.environ.items() if name not in STEERING}
    for name in NAMES:
        if not MISSING[name]:
            words = ["fingerprint", "--instruction-set", name, "--out", str(table)]
            subprocess.run([sys.executable, "-m", "nenni", *words], env=inherited, check=True)
    rows = read_csv(table, text=True).to_dict("records")
    return {row["instruction_set"]: row for row in rows}


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_it_is_that_of_the_table_where_the_processor_is_known(
    name: str, here: dict[str, dict[str, Any]]
) -> None:
    if name not in here:
        pytest.skip(f"the processor has no {', '.join(MISSING[name])}")
    rows = [row for row in known() if is_same_kind(row, here[name])]
    if not rows:
        told = ", ".join(here[name][column] for column in SAME_KIND[:-1])
        pytest.skip(
            f"no row of {TABLE.name} is of this machine ({told}); nenni fingerprint adds it"
        )
    (row,) = rows
    assert parts_that_differ(row, here[name]) == []
    assert row["all"] == here[name]["all"]


@pytest.mark.long
def test_it_repeats_in_one_process(here: dict[str, dict[str, Any]]) -> None:
    found = fingerprint.fingerprint()
    told_nothing = not any(name in os.environ for name in STEERING)
    if told_nothing:
        assert parts_that_differ(found, here["auto"]) == []
    again = fingerprint.fingerprint()
    assert again == found
    assert [*PARTS] == [key for key in found if key in PARTS]
    assert len({found[part] for part in PARTS}) == len(PARTS)


@pytest.mark.parametrize("part", QUICK)
def test_a_part_changes_with_a_last_bit(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each ends in numbers that one bit more in what it starts from would change."""
    before = fingerprint._hash(PARTS[part]())
    exact = fingerprint._exact

    def nudged(*shape: int, of: str, scale: float = 1.0) -> torch.Tensor:
        return torch.nextafter(exact(*shape, of=of, scale=scale), torch.tensor(torch.inf))

    monkeypatch.setattr(fingerprint, "_exact", nudged)
    after = fingerprint._hash(PARTS[part]())
    assert (after != before) == (part != "random_numbers")


def test_what_it_starts_from_is_exact() -> None:
    """Multiples of a power of two with few digits, which no order of operations changes."""
    for scale in (1.0, 2.0, 8.0, 2.0**-5):
        numbers = fingerprint._exact(1000, of="x", scale=scale).double() * 2**24 / scale
        assert torch.equal(numbers, numbers.round())
        assert numbers.abs().max() <= 2**23


def test_parts_name_where_two_machines_part() -> None:
    one = dict.fromkeys(PARTS, "a")
    assert parts_that_differ(one, dict(one)) == []
    assert parts_that_differ(one, one | {"sums": "b", "attacks": "b"}) == ["sums", "attacks"]
    lacking = {part: value for part, value in one.items() if part != "fitting"}
    assert parts_that_differ(one, lacking) == ["fitting"]


@pytest.mark.parametrize("column", SAME_KIND)
def test_machines_are_told_apart(column: str) -> None:
    one = dict.fromkeys((*SAME_KIND, "python"), "a")
    assert is_same_kind(one, one | {"python": "b", "all": "c"})
    assert not is_same_kind(one, one | {column: "b"})


def test_the_table_shows_that_each_library_is_bound() -> None:
    """Of this project's own machine: the parts that hang on each variable alone."""
    rows = {row["environment"]: row for row in known() if not row["processor"].startswith("QEMU")}
    moved = {
        variable: set(parts_that_differ(rows[""], rows[f"{variable}={value}"]))
        for variable, value in variables("avx2").items()
    }
    assert "functions" in moved["ATEN_CPU_CAPABILITY"]
    assert "matrix_products" not in moved["ATEN_CPU_CAPABILITY"] | moved["ONEDNN_MAX_CPU_ISA"]
    assert "convolutions" in moved["ONEDNN_MAX_CPU_ISA"]
    assert {"matrix_products", "factorisations"} <= moved["MKL_CBWR"]
    assert all("pipeline" in parts for parts in moved.values())
    ignored = ("MKL_CBWR=AVX2", "MKL_ENABLE_INSTRUCTIONS=AVX2")
    assert parts_that_differ(rows["MKL_CBWR=AUTO"], rows[ignored[0]]) == []
    assert parts_that_differ(rows[""], rows[ignored[1]]) == []


def test_the_table_shows_what_processors_agree_on() -> None:
    """Pinned, emulated processors of both makers and the real one; not if left alone."""
    for name, alike in (("avx2", True), ("auto", False)):
        told = " ".join(sorted(f"{k}={v}" for k, v in variables(name).items()))
        rows = [row for row in known() if row["environment"] == told]
        makers = {"QEMU Haswell", "QEMU EPYC-Rome"}
        assert makers < {row["processor"] for row in rows}
        assert (len({row["all"] for row in rows}) == 1) == alike
