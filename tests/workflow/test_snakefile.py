"""The same config gives the same bytes: in another folder, on other cores, after a kill."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import torch
from instruction_sets import needs_avx2, own_model, told
from workflow_project import Project


def kill_in_its_middle(project: Project, run: subprocess.Popen[str], output: str) -> None:
    """SIGKILL the stage that writes an output, once it has kept a part of its work.

    On one core no other stage runs at the time, so a checkpoint that is there is this stage's.
    """
    checkpoints = project.folder / ".nenni" / "checkpoints"
    while run.poll() is None:
        for process in psutil.Process(run.pid).children(recursive=True):
            try:
                words = process.cmdline()
            except psutil.Error:
                continue
            if words[1:3] == ["-m", "nenni"] and any(output in word for word in words):
                while process.is_running() and not any(checkpoints.glob("*.pt")):
                    time.sleep(0.001)
                process.kill()
                return
        time.sleep(0.01)
    raise AssertionError(f"nothing that writes {output} was caught")


@pytest.mark.slow
def test_another_folder_one_core_and_two_kills_give_the_same_bytes(
    first_results: dict[str, bytes], tmp_path: Path
) -> None:
    """The first run was undisturbed, elsewhere, on two cores."""
    project = Project.copy(tmp_path / "killed")

    stopped = project.start("--cores", "1")
    kill_in_its_middle(project, stopped, "bases/at/seed0/weights.safetensors")
    output, _ = stopped.communicate()
    assert stopped.returncode != 0
    assert "Error in rule train_base" in output

    again = project.start("--cores", "1")
    kill_in_its_middle(project, again, "attacks/pgd.csv")
    os.killpg(again.pid, signal.SIGKILL)  # a power cut takes Snakemake too
    again.communicate()

    last = project.run("snakemake", "--cores", "1")
    assert last.returncode == 0, last.stdout + last.stderr
    assert f"removed, process {again.pid}" in last.stdout + last.stderr
    logs = "".join(f.read_text() for f in (project.folder / "logs").rglob("*.log"))
    assert "resumed after epoch 1/2" in logs
    assert re.search(r"resumed after batch [1-9]", logs)

    first, second = first_results, project.results()
    assert len(first) > 60
    assert sorted(first) == sorted(second)
    assert [name for name in first if first[name] != second[name]] == []
    assert project.to_do() == set()


def test_no_result_names_its_folder(finished: Project, first_results: dict[str, bytes]) -> None:
    for name, content in first_results.items():
        assert str(finished.folder).encode() not in content, name


@pytest.mark.long
@needs_avx2
def test_jobs_compute_with_the_instruction_set_of_the_config(tmp_path: Path) -> None:
    """They are forks of the server, which has loaded torch with it."""
    project = Project.copy(tmp_path / "project")
    own = own_model(project.folder)
    text = project.config.read_text().replace("threads: 1", "threads: 1\ninstruction_set: avx2")
    small = "{name: small_cnn, channels: [8, 8, 16, 16], hidden: 32}"
    assert text.count(small) == 1
    project.config.write_text(text.replace(small, f"{{name: '{own}'}}"))
    done = project.run(
        "snakemake", "--cores", "1", "results/tiny/bases/at/seed0/weights.safetensors"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert told((project.folder / "logs/tiny/pretrain/at/seed0.log").read_text()) == ["AVX2"]


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and torch finds none")
def test_twice_on_a_gpu_gives_the_same_bytes(tmp_path: Path) -> None:
    results = []
    for name in ("one", "another"):
        project = Project.copy(tmp_path / name)
        text = project.config.read_text(encoding="utf-8")
        project.config.write_text(text.replace("threads: 1", "threads: 1\ndevice: cuda", 1))
        done = project.run("snakemake", "--cores", "all")
        assert done.returncode == 0, done.stdout + done.stderr
        results.append(project.results())
    first, second = results
    assert len(first) > 60
    assert first == second
