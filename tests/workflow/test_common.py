"""What the rules ask for: the jobs of each target, and no job where a config has a mistake.

Of a mistake there is one clear message, which names file and key.
"""

import pytest
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
