"""Times are the least of all rounds, beside those of `auto`; what a processor lacks is left out."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from scripts import script_named

ROOT = Path(__file__).parents[2]
PARTS = {"fit", "training", "attack"}


@pytest.fixture
def script() -> Any:
    return script_named("instruction_set_speed")


def test_each_part_takes_time(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for name, small in {"IMAGES": 8, "STEPS": 1, "REPEATS": 1}.items():
        monkeypatch.setattr(script, name, small)
    found = script.measured("auto")
    assert set(found) == PARTS
    assert all(seconds > 0 for seconds in found.values())


def test_the_least_counts_and_what_fails_is_left_out(
    script: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        name = command[-1]
        calls.append(name)
        if name == "avx512":
            return subprocess.CompletedProcess(command, 1, "", "the processor has no avx512f\n")
        factor = 2.0 if name == "avx2" else 1.0
        round_ = calls.count(name)
        return subprocess.CompletedProcess(
            command, 0, json.dumps(dict.fromkeys(PARTS, factor * (4 - round_))), ""
        )

    monkeypatch.setattr(subprocess, "run", run)
    table = script.compared()
    assert set(table["instruction_set"]) == {"auto", "avx2"}
    pinned = table[table["instruction_set"] == "avx2"]
    assert set(pinned["part"]) == PARTS
    assert (pinned["seconds"] == 2).all()
    assert (pinned["over_auto"] == 2).all()
    assert "avx512: the processor has no avx512f" in capsys.readouterr().err


def test_the_table_is_of_this_script(script: Any) -> None:
    file = ROOT / "results" / "reference" / "instruction_set.csv"
    assert file.read_text().splitlines()[0] == ",".join(script.COLUMNS)
