"""What the rules ask for: the jobs of each target, and no job where a config has a mistake.

Of a mistake there is one clear message, which names file and key.
"""

import math
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from workflow_project import Project

SLOW = pytest.mark.slow  # mistakes: their messages are those of tests/nenni/run/


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project.copy(tmp_path_factory.mktemp("mistakes") / "project")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("describe:", "desrcibe:", "desrcibe: unknown key"),
        pytest.param("eps: 5.1}\n\nbases", "eps: -1}\n\nbases", "recipes.at.eps: should be greater than or equal to 0, got -1", marks=SLOW),
        pytest.param("fraction: 0.4}", "fraction: 4}", "defences.alloc.injection.selection.fraction: should be less than or equal to 1, got 4", marks=SLOW),
        ("presets: [server_cpu,", "presets: [server_gpu,", "presets: "),
        pytest.param("alloc: {injection", "topk: {injection", "topk: the name is given 2 times", marks=SLOW),
        ("seeds: [0]", "seeds: [0", "is not valid YAML"),
    ],
)  # fmt: skip
def test_mistakes_in_the_default_config(project: Project, old: str, new: str, message: str) -> None:
    text = project.config.read_text()
    assert text.count(old) == 1
    project.config.write_text(text.replace(old, new))
    try:
        done = project.run("snakemake")
    finally:
        project.config.write_text(text)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"config/config.yaml: {message}" in output
    assert "Traceback" not in output
    assert not (project.folder / "results").exists()


@pytest.mark.parametrize(
    "content", [pytest.param("", marks=SLOW), "run: [", pytest.param("- a", marks=SLOW)]
)
def test_files_that_are_no_config(project: Project, content: str) -> None:
    (project.folder / "mine.yaml").write_text(content)
    done = project.run("snakemake", "-n", "--configfile", "mine.yaml")
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    check = project.run("nenni", "check", "mine.yaml")
    assert check.returncode == 2
    assert check.stderr.startswith("nenni: mine.yaml: ")


def test_only_one_config_describes_a_run(project: Project) -> None:
    done = project.run(
        "snakemake", "-n", "--configfile", "config/config.yaml", "config/config.yaml"
    )
    assert "one config file describes a run; 2 were given" in done.stdout + done.stderr


def test_overrides_on_the_command_line_are_checked(project: Project) -> None:
    done = project.run("snakemake", "-n", "--config", "sedes=[1]")
    assert "config/config.yaml: sedes: unknown key" in done.stdout + done.stderr


@pytest.mark.long
def test_stages_are_targets(project: Project) -> None:
    for stage in ("data", "pretrain", "profile", "project", "finetune", "attack", "hardware",
                  "tables", "figures", "page"):  # fmt: skip
        kinds = {job.split()[0] for job in project.to_do(stage, "--forceall")}
        assert ("page" in kinds) == (stage == "page")
        assert ("figure" in kinds) == (stage in ("figures", "page"))
        assert ("attack" in kinds) == (stage in ("attack", "tables", "figures", "page"))
        assert ("hardware" in kinds) == (stage in ("hardware", "tables", "page"))
        assert ("project" in kinds) == (stage not in ("data", "pretrain", "profile"))
        assert ("pretrain" in kinds) == (stage != "data")
        assert "data" in kinds


LOOKS_AGAIN = """
import sys
from snakemake.cli import main
from snakemake.scheduling.job_scheduler import JobScheduler

planned = JobScheduler._schedule_reevalutation
JobScheduler._schedule_reevalutation = lambda *a: (print("looks again"), planned(*a))
main(sys.argv[1:])
"""


@pytest.mark.long
def test_jobs_here_start_without_a_rate(tmp_path: Path) -> None:
    """Each that ends would make Snakemake look at all of them once a second more."""
    project = Project.copy(tmp_path / "project")
    (project.folder / "looks_again.py").write_text(LOOKS_AGAIN)
    done = project.run("looks_again", "--cores", "1", "data")
    assert done.returncode == 0, done.stdout + done.stderr
    assert any((project.folder / "results").rglob("digits.safetensors"))
    assert "looks again" not in done.stdout


def test_values_that_would_fail_in_a_job_start_none(project: Project) -> None:
    """Three configs, as the checks of values, of names and of files come one after the other."""
    text = project.config.read_text()
    values, names, files = (yaml.safe_load(text) for _ in range(3))
    values["figures"]["noise_intensity"]["width"] = math.nan
    values["threads"] = 10**12
    values["models"]["cnn"]["channels"] = []
    names["tables"]["columns"] = {"a": "pgd", "a_low": "pgd"}
    names["data"]["digits"]["train"] = 5000
    files["data"]["digits"]["data"] = {"name": "image_folder", "train": "no/where", "size": 28}
    files["models"]["cnn"] = {"name": "not_there:build"}
    told = [
        (values, "models.cnn.channels: List should have at least 1 item"),
        (values, "threads: should be less than or equal to 1024"),
        (values, "figures.noise_intensity.width: should be "),
        (names, "tables.columns.a_low: makes the column 'a_low', which 'a' has"),
        (names, "data.digits: the splits ask for 5080 images of 5000"),
        (files, "data.digits.data: there is no folder no/where"),
        (files, "models.cnn.name: there is no module of not_there:build"),
    ]
    try:
        for config in (values, names, files):
            project.config.write_text(yaml.safe_dump(config, sort_keys=False))
            done = project.run("snakemake", "--cores", "1")
            output = done.stdout + done.stderr
            assert done.returncode != 0
            assert "Traceback" not in output
            for message in (message for which, message in told if which is config):
                assert f"config/config.yaml: {message}" in output
    finally:
        project.config.write_text(text)
    assert not (project.folder / "results").exists()
    assert not (project.folder / "logs").exists()


NO_UTF8 = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.long
def test_jobs_run_the_same_python_in_a_folder_of_any_name(tmp_path: Path) -> None:
    """Another Python, first on the PATH, does nothing."""
    project = Project.copy(tmp_path / 'it\'s a $HOME `x` "q" [z]* ;& ü \\n #%20 -- end')
    (project.folder / "env").symlink_to(sys.prefix)
    python = project.folder / "env" / Path(sys.executable).relative_to(sys.prefix)
    other = tmp_path / "bin" / "python"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\nexit 3\n")
    other.chmod(0o755)
    path = os.pathsep.join([str(other.parent), os.environ["PATH"]])
    project = replace(project, python=str(python), environment={"PATH": path})
    done = project.run("snakemake", "--cores", "1", "results/tiny/data/digits.safetensors")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project.folder / "results/tiny/data/digits.safetensors").exists()


def test_a_folder_that_snakemake_takes_for_a_wildcard_is_told(tmp_path: Path) -> None:
    done = Project.copy(tmp_path / "a {b}").run("snakemake", "-n")
    assert "a {b}: Snakemake takes braces for wildcards; rename the folder" in done.stdout


@SLOW
def test_configs_data_and_plugins_of_any_name(tmp_path: Path) -> None:
    project = Project.copy(tmp_path / "project")
    name = 'it\'s a $HOME `x` "q" [z]* ;& ü \\n #%20 -- end'
    schedule = project.folder / name / "schedule" / "half.py"
    schedule.parent.mkdir(parents=True)
    schedule.write_text(
        '"""Half."""\n\n__all__ = ["half"]\n\n\n'
        'def half(step: int, steps: int) -> float:\n    """Half of the rate."""\n    return 0.5\n'
    )
    images = np.arange(100 * 64, dtype=np.uint8).reshape(100, 8, 8)
    np.savez(project.folder / f"{name}.npz", x=images, y=np.arange(100) % 3)
    config = yaml.safe_load(project.config.read_text(encoding="utf-8"))
    config["plugins"] = [name]
    config["data"]["digits"] = {
        "data": {"name": "npz", "train": f"{name}.npz"}, "train": 60, "val": 20, "test": 20
    }  # fmt: skip
    config["recipes"]["at"] |= {"epochs": 1, "schedule": {"name": "half"}}
    own = project.folder / f"{name}.yaml"
    own.write_text(yaml.safe_dump(config), encoding="utf-8")
    target = "results/tiny/bases/at/seed0/weights.safetensors"
    done = project.run("snakemake", "--cores", "1", "--configfile", own.name, "--", target)
    assert done.returncode == 0, done.stdout + done.stderr
    to_do = project.to_do("--configfile", own.name, "--", target)
    assert to_do == set()


@pytest.mark.long
def test_sources_and_configs_are_read_in_any_locale(tmp_path: Path) -> None:
    project = replace(Project.copy(tmp_path / "ü"), environment=NO_UTF8)
    project.config.write_text(
        f"# ü\n{project.config.read_text(encoding='utf-8')}", encoding="utf-8"
    )
    done = project.run("snakemake", "-n", "results/tiny/data/digits.safetensors")
    assert done.returncode == 0, done.stdout + done.stderr
    done = project.run("nenni", "check", "config/config.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_file_that_the_locale_cannot_name_is_told(tmp_path: Path) -> None:
    project = replace(Project.copy(tmp_path / "project"), environment=NO_UTF8)
    text = project.config.read_text(encoding="utf-8")
    project.config.write_text(f"plugins: [ü]\n{text}", encoding="utf-8")
    told = "cannot be written in this session's encoding (ascii); rename it, or set PYTHONUTF8=1"
    for done in (
        project.run("snakemake", "-n"),
        project.run("nenni", "check", "config/config.yaml"),
    ):
        assert done.returncode != 0
        assert told in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
