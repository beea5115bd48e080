"""The workflows of GitHub Actions: they parse, call make's targets and test what is promised."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def jobs(file: Path) -> dict[str, Any]:
    content = yaml.safe_load(file.read_text())
    assert True in content, "`on`, which YAML 1.1 reads as true"
    found: dict[str, Any] = content["jobs"]
    return found


def pins(file: str) -> dict[str, SpecifierSet]:
    lines = (ROOT / file).read_text().splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {requirement.name: requirement.specifier for requirement in wanted}


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_each_command_is_a_target_of_make(file: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    commands = [
        step["run"] for job in jobs(file).values() for step in job["steps"] if "run" in step
    ]
    assert commands
    for command in commands:
        words = command.split()
        assert words[0] == "make", command
        assert words[1] in targets, command


def test_lint_tests_and_docs_are_run() -> None:
    run = [
        step.get("run", "")
        for file in WORKFLOWS
        for job in jobs(file).values()
        for step in job["steps"]
    ]
    for target in ("lint", "test", "test-long", "docs"):
        assert any(command.split()[:2] == ["make", target] for command in run), target


def test_the_oldest_and_newest_python_and_torch_are_tested() -> None:
    (matrix,) = (
        job["strategy"]["matrix"]["include"]
        for file in WORKFLOWS
        for job in jobs(file).values()
        if "strategy" in job
    )
    oldest, newest = matrix
    supported = SpecifierSet(PROJECT["requires-python"])
    assert str(supported) == f">={oldest['python']}"
    assert Version(newest["python"]) in supported
    bounds = {r.name: r.specifier for r in map(Requirement, PROJECT["dependencies"])}
    for name, pin in pins(oldest["constraints"]).items():
        (lowest,) = (bound.version for bound in bounds[name] if bound.operator == ">=")
        assert str(pin) == f"=={lowest}.*"
    (version,) = (pin.version for pin in pins(newest["constraints"])["torch"])
    assert version in bounds["torch"]
    assert {"torch", "torchvision"} <= pins(oldest["constraints"]).keys()
