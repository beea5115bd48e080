"""What the default run, a dry run and a run with nothing to do take on this machine.

    python workflow/scripts/run_times.py --results results/mnist5k

In a temporary copy of the project, as in a fresh clone after its install: seconds on the clock,
and seconds of CPU of Snakemake and all its jobs. What the jobs of each rule took, by what Snakemake
notes of them, goes to a second table beside the first. ``--results`` takes over what the run made.
Run it with nothing else running.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil

from nenni.core.io import write_csv
from nenni.core.machine import processor

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "cases"))

from workflow_project import Project  # noqa: E402

COMMANDS = {"the default run": [], "a dry run of it": ["-n"], "nothing to do": []}
QUICK = 5
"""Times that what takes seconds is repeated; the fastest counts."""


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--config", type=Path, default=ROOT / "config" / "config.yaml")
    parser.add_argument("--results", type=Path, help="folder for what the run makes")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "reference/run_times.csv")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="run_times_") as folder:
        project = Project.copy(Path(folder) / "project")
        shutil.copy(asked.config, project.config)
        measured(project, ["-n"])  # compiles the sources
        rows = []
        for what, words in COMMANDS.items():
            repeats = range(1 if what == "the default run" else QUICK)
            seconds, cpu = min(measured(project, words) for _ in repeats)
            rows.append(
                {
                    "what": what, "seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1),
                    "processor": processor(), "cores": os.cpu_count(),
                }
            )  # fmt: skip
            print(rows[-1], flush=True)
        write_csv(asked.out, pd.DataFrame(rows))
        write_csv(asked.out.with_stem(f"{asked.out.stem}_by_rule"), by_rule(project.folder))
        if asked.results:
            (made,) = (project.folder / "results").iterdir()
            shutil.copytree(made, asked.results, dirs_exist_ok=True)


def measured(project: Project, words: list[str]) -> tuple[float, float]:
    """Seconds on the clock and of CPU that a Snakemake takes.

    Raises
    ------
    SystemExit
        If it fails.
    """
    used, started = _cpu(), time.perf_counter()
    done = project.run("snakemake", *words)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return time.perf_counter() - started, _cpu() - used


def by_rule(folder: Path) -> pd.DataFrame:
    """Jobs of each rule and the seconds that they took, those that ran side by side added up."""
    notes = (folder / ".snakemake" / "metadata").rglob("*")
    found = pd.DataFrame(
        json.loads(file.read_text(encoding="utf-8")) for file in notes if file.is_file()
    )
    jobs = found.drop_duplicates(["rule", "shellcmd"])
    seconds = (jobs["endtime"] - jobs["starttime"]).groupby(jobs["rule"])
    table = pd.DataFrame({"jobs": seconds.size(), "seconds": seconds.sum().round(1)})
    return table.sort_values("seconds", ascending=False).reset_index()


def _cpu() -> float:
    times = psutil.Process().cpu_times()
    return float(times.children_user + times.children_system)


if __name__ == "__main__":
    main()
