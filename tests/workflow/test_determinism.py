"""The same config gives the same bytes: in another folder, on other cores, after a kill."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from workflow_project import Project

pytestmark = pytest.mark.xdist_group("workflow")


def kill_a_stage_in_its_middle(project: Project, run: subprocess.Popen[str], stage: str) -> None:
    """SIGKILL the first process of a stage that has kept a part of its work."""
    checkpoints = project.folder / ".nenni" / "checkpoints"
    while run.poll() is None:
        if any(checkpoints.glob(f"{stage}-*.pt")):
            for process in psutil.Process(run.pid).children(recursive=True):
                try:
                    words = process.cmdline()
                except psutil.Error:
                    continue
                if words[1:4] == ["-m", "nenni", stage]:
                    process.kill()
                    return
        time.sleep(0.002)
    raise AssertionError(f"no {stage} was caught in its middle")


def differing(first: Project, second: Project) -> list[str]:
    a, b = first.results(), second.results()
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))


def test_two_folders_one_core_and_kills_give_the_same_bytes(
    finished: Project, tmp_path: Path
) -> None:
    one_core = Project.copy(tmp_path / "one_core")
    plain = one_core.start("--cores", "1")
    killed = Project.copy(tmp_path / "killed")

    stopped = killed.start("--cores", "1")
    kill_a_stage_in_its_middle(killed, stopped, "pretrain")
    output, _ = stopped.communicate()
    assert stopped.returncode != 0, "a job was killed"

    again = killed.start("--cores", "1")
    kill_a_stage_in_its_middle(killed, again, "attack")
    os.killpg(again.pid, signal.SIGKILL)  # a power cut takes Snakemake too
    again.communicate()
    assert "removed, process" in killed.run("nenni", "unlock").stdout

    last = killed.run("snakemake", "--cores", "1")
    assert last.returncode == 0, last.stdout + last.stderr
    logs = "".join(f.read_text() for f in (killed.folder / "logs").rglob("*.log"))
    assert re.search(r"resumed after epoch 1/2", logs)
    assert re.search(r"resumed after batch [1-9]", logs)
    assert not list((killed.folder / ".nenni" / "checkpoints").glob("*.part"))

    output, _ = plain.communicate()
    assert plain.returncode == 0, output
    assert len(finished.results()) > 60
    assert differing(finished, one_core) == []
    assert differing(finished, killed) == []
    assert killed.to_do() == set()


def test_no_result_names_its_folder_or_day(finished: Project) -> None:
    today = time.strftime("%Y-%m-%d").encode()
    for name, content in finished.results().items():
        assert str(finished.folder).encode() not in content, name
        assert today not in content, name
