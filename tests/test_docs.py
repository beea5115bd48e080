"""The README and the pages of docs/ are true: their code runs, and what they name is there."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import hwmodel
import nenni
from nenni.run.config_file import load_config

ROOT = Path(__file__).parents[1]
README, CONTRIBUTING = ROOT / "README.md", ROOT / "CONTRIBUTING.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, CONTRIBUTING, *DOCS]
ROOTS = "nenni|hwmodel|workflow|config|tests|docs|results"
FILES = (".safetensors", ".json", ".yaml", ".csv", ".md", ".toml")
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")

PRINTED = {
    "inject.md": ("relative_error", "fp32"),
    "train.md": ("val_clean",),
    "card.md": ("p_holm", "No difference is shown"),
    "deploy.md": ("tensor(True)",),
    "baselines.md": ("100", "True", "'ranked': 800"),
    "attack.md": ("any_iterate", "all checks", "%"),
}
"""Page -> what its code prints, among other things."""


def blocks(page: Path, language: str) -> Iterator[tuple[str, str]]:
    """(title, code) of all blocks; the code is on the page's own lines, for tracebacks."""
    text = page.read_text()
    for block in re.finditer(
        rf'^```{language}(?: title="([^"\n]*)")?\n(.*?)^```', text, re.S | re.M
    ):
        yield block[1] or "", "\n" * text[: block.start(2)].count("\n") + block[2]


def untitled(page: Path) -> list[str]:
    return [code for title, code in blocks(page, "python") if not title]


def run(page: Path) -> dict[str, Any]:
    """What the code of a page defines."""
    namespace: dict[str, Any] = {}
    for code in untitled(page):
        exec(compile(code, str(page), "exec"), namespace)
    return namespace


@pytest.mark.parametrize("page", [*filter(untitled, DOCS)], ids=lambda page: page.name)
def test_python_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    run(page)
    out = capsys.readouterr().out
    for word in PRINTED[page.name]:
        assert word in out
    if "fp32" in PRINTED[page.name]:
        assert json.loads((tmp_path / "layers.json").read_text())["layers"]


def test_the_readme_shows_what_its_code_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Word by word; numbers of a trained network differ a little from machine to machine."""
    torch.set_num_threads(2)  # the page itself sets 1, for which its numbers hold
    monkeypatch.chdir(tmp_path)
    namespace = run(README)
    assert torch.get_num_threads() == 1
    printed = capsys.readouterr().out.split()
    ((_, shown),) = blocks(README, "text")
    for here, there in zip(shown.split(), printed, strict=True):
        if NUMBER.fullmatch(here) and "." in here:
            assert float(there) == pytest.approx(float(here), abs=0.1)
        else:
            assert there == here
    example = torch.zeros(1, 1, 28, 28)
    again = nenni.load("noisy.safetensors", namespace["model"])
    assert torch.equal(again(example), namespace["noisy"](example))


def test_keys_of_the_training_page_are_those_of_a_config(tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "config" / "cifar10_cpu.yaml").read_text())
    for _, text in blocks(ROOT / "docs" / "train.md", "yaml"):
        for part, entries in yaml.safe_load(text).items():
            config[part] |= entries
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert {"trained", "best", "given"} < set(load_config(tmp_path / "config.yaml").bases)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_links_to_are_there(page: Path) -> None:
    for path in re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", page.read_text()):
        assert (page.parent / path).exists(), path


def code_of(page: Path) -> str:
    """A page without its links' addresses, which have a test of their own."""
    return re.sub(r"\]\([^)]*\)", "]", page.read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_of_modules_and_what_they_hold_are_right(page: Path) -> None:
    added = {Path(title).with_suffix("").as_posix().replace("/", ".") for title in titles(page)}
    for name in sorted(set(re.findall(r"(?<![\w./-])(?:nenni|hwmodel)(?:\.\w+)+", code_of(page)))):
        if Path(name).suffix not in FILES and not any(name.startswith(a) for a in added):
            assert is_there(name), name


def is_there(name: str) -> bool:
    """Whether a dotted name is a module or something that one holds, if only by annotation."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            if part not in getattr(found, "__annotations__", {}) and not hasattr(found, part):
                return False
            found = getattr(found, part, None)
        return True
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_that_a_page_names_are_there(page: Path) -> None:
    """In code, from the root of the repository; NAME, KIND, * and <...> stand for any."""
    kept = set(titles(page))
    named = re.findall(rf"(?<![\w./-])(?:{ROOTS})/[\w./<>*-]*[\w/>*]", code_of(page))
    for path in sorted(set(named) - kept):
        if path.startswith("results/") and not path.startswith("results/reference/"):
            continue  # of a run, which git ignores
        pattern = re.sub(r"<[^>]*>|\b(?:NAME|KIND|WEIGHTS)\b", "*", path).rstrip("/")
        assert list(ROOT.glob(pattern)), path


def titles(page: Path) -> list[str]:
    """Files that a page writes."""
    found = re.findall(r'^```\w+ title="([^"\n]*)"', page.read_text(), re.M)
    return [title for title in found if title]


def test_the_map_has_every_package_in_the_order_of_the_contract() -> None:
    page = CONTRIBUTING.read_text()
    told = re.findall(r"^\| `nenni/(\w+)/` \|", page, re.M)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(c["layers"] for c in contracts["contracts"] if c["id"] == "layers")
    order = [[package.strip() for package in layer.split("|")] for layer in layers]
    assert sorted(told) == sorted(package for layer in order for package in layer)
    at = {package: i for i, layer in enumerate(order) for package in layer}
    assert [at[package] for package in told] == sorted(at[package] for package in told)


@pytest.mark.long
def test_plugins_that_extend_md_adds_work_in_a_copy_of_the_project(tmp_path: Path) -> None:
    page = ROOT / "docs" / "extend.md"
    for part in ("nenni", "hwmodel", "config"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, tmp_path / part, ignore=ignored)
    for title, code in blocks(page, "python"):
        file = tmp_path / title
        assert not (ROOT / title).exists(), f"{title} exists: the page should add something new"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code)
    for title, diff in blocks(page, "diff"):
        apply(diff, tmp_path / title)
    # torch.set_num_threads(1) alone is not inherited
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    for command in (["nenni", "check", "config/config.yaml"], ["pytest", "-q", "tests"]):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout)


def apply(diff: str, file: Path) -> None:
    """Apply a diff without line numbers, whose hunks are parted by a line @@."""
    text = file.read_text()
    for hunk in diff.lstrip("\n").split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        assert text.count(old) == 1, f"{file.name} has {text.count(old)} times\n{old}"
        text = text.replace(old, new)
    file.write_text(text)


def test_reference_has_every_public_name() -> None:
    described = re.findall(r"^::: (.+)$", (ROOT / "docs" / "reference.md").read_text(), re.M)
    public = [f"{module}.{name}" for name, module in nenni._EXPORTS.items()]
    public += [f"hwmodel.{module}.{name}" for name, module in hwmodel._HOME.items()]
    assert len(described) == len(set(described))
    assert set(public) <= set(described)
