"""What the rules ask for: the jobs of each target, and no job where a config has a mistake.

Of a mistake there is one clear message, which names file and key.
"""

import math

import pytest
import yaml
from workflow_project import Project

SLOW = pytest.mark.slow  # their messages are those of tests/nenni/run/


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


def test_stages_are_targets(project: Project) -> None:
    for stage in ("data", "pretrain", "profile", "project", "finetune", "attack", "hardware",
                  "tables", "figures"):  # fmt: skip
        kinds = {job.split()[0] for job in project.to_do(stage, "--forceall")}
        assert ("figure" in kinds) == (stage == "figures")
        assert ("attack" in kinds) == (stage in ("attack", "tables", "figures"))
        assert ("hardware" in kinds) == (stage in ("hardware", "tables"))
        assert ("project" in kinds) == (stage not in ("data", "pretrain", "profile"))
        assert ("pretrain" in kinds) == (stage != "data")
        assert "data" in kinds


def test_values_that_would_fail_in_a_job_start_none(project: Project) -> None:
    """Three configs, as the checks of values, of names and of files come one after the other."""
    text = project.config.read_text()
    values, names, files = (yaml.safe_load(text) for _ in range(3))
    values["figures"]["noise_intensity"]["width"] = math.nan
    values["tables"]["resamples"] = 10**12
    values["models"]["cnn"]["channels"] = []
    names["tables"]["columns"] = {"a": "pgd", "a_low": "pgd"}
    names["data"]["digits"]["train"] = 5000
    files["data"]["digits"]["data"] = {"name": "image_folder", "train": "no/where", "size": 28}
    files["models"]["cnn"] = {"name": "not_there:build"}
    told = [
        (values, "models.cnn.channels: List should have at least 1 item"),
        (values, "tables.resamples: should be less than or equal to 100000"),
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
