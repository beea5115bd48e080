"""The plain command goes on after a kill, beside other runs, and not beside jobs that still work."""

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from workflow_project import Project

DATA = "results/tiny/data/digits.safetensors"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.copy(tmp_path / "project")


def until(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.01)


def job_of(run: psutil.Process) -> psutil.Process | None:
    """The process of a stage that a Snakemake has started."""
    for child in run.children(recursive=True):
        try:
            if "stage" in child.cmdline():
                return child
        except psutil.Error:
            continue
    return None


@pytest.mark.long
def test_the_plain_command_goes_on_after_a_kill(project: Project) -> None:
    run = project.start("--cores", "1", DATA)
    until(lambda: job_of(psutil.Process(run.pid)) is not None)
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    assert any((project.folder / ".snakemake" / "locks").iterdir())

    dry = project.run("snakemake", "-n", DATA)
    assert "removed" not in dry.stdout + dry.stderr
    assert any((project.folder / ".snakemake" / "locks").iterdir())

    again = project.run("snakemake", "--cores", "1", DATA)
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"removed, process {run.pid} that held it is gone" in again.stdout + again.stderr
    assert (project.folder / DATA).exists()


@pytest.mark.slow
def test_not_while_a_job_of_the_killed_run_works(project: Project) -> None:
    run = project.start("--cores", "1", DATA)
    until(lambda: job_of(psutil.Process(run.pid)) is not None)
    job = job_of(psutil.Process(run.pid))
    assert job is not None
    job.suspend()
    run.kill()
    try:
        again = project.run("snakemake", "--cores", "1", DATA)
        told = again.stdout + again.stderr
        assert again.returncode != 0
        assert "but its jobs still work here (nenni stage data)" in told
        pids = [int(pid) for pid in re.findall(r"kill ([\d ]+)", told)[0].split()]
        assert job.pid in pids
    finally:
        job.resume()
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not job.is_running())
    last = project.run("snakemake", "--cores", "1", DATA)
    assert last.returncode == 0, last.stdout + last.stderr


@pytest.mark.slow
def test_two_runs_in_one_checkout(project: Project) -> None:
    """One is killed and goes on, and the other never notices."""
    text = project.config.read_text(encoding="utf-8")
    (project.folder / "other.yaml").write_text(text.replace("run: tiny", "run: other"))
    other = project.start("--cores", "1", "--configfile", "other.yaml", "--", DATA.replace("tiny", "other"))  # fmt: skip
    until(lambda: job_of(psutil.Process(other.pid)) is not None)
    job = job_of(psutil.Process(other.pid))
    assert job is not None
    job.suspend()
    try:
        run = project.start("--cores", "1", DATA)
        until(lambda: job_of(psutil.Process(run.pid)) is not None)
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        unlocked = project.run("nenni", "unlock")
        assert unlocked.returncode == 1
        assert f"removed, process {run.pid}" in unlocked.stdout
        assert f"locked by process {other.pid}, which is running" in unlocked.stdout
        again = project.run("snakemake", "--cores", "1", DATA)
        assert again.returncode == 0, again.stdout + again.stderr
    finally:
        job.resume()
    output, _ = other.communicate()
    assert other.returncode == 0, output
