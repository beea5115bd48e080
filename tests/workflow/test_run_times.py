"""What the jobs of each rule took, by what Snakemake notes."""

import json
from pathlib import Path
from typing import Any

import pytest
from scripts import script_named


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("run_times")


def test_each_job_counts_once_however_many_files_it_wrote(script: Any, tmp_path: Path) -> None:
    jobs = [("train", "a", 0.0, 4.0), ("train", "a", 0.0, 4.0), ("train", "b", 3.0, 5.5)]
    jobs.append(("draw", "c", 6.0, 6.25))
    for i, (rule, command, start, end) in enumerate(jobs):
        note = {"rule": rule, "shellcmd": command, "starttime": start, "endtime": end}
        file = tmp_path / ".snakemake" / "metadata" / f"{i % 2}" / str(i)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(note))
    found = script.by_rule(tmp_path).to_dict("records")
    assert found == [
        {"rule": "train", "jobs": 2, "seconds": 6.5}, {"rule": "draw", "jobs": 1, "seconds": 0.2},
    ]  # fmt: skip
