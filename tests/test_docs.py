"""The README and the pages of docs/ are true: their code runs, and what they name is there."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml

import hwmodel
import nenni
from nenni.run.config_file import load_config

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


PRINTED = {
    "README.md": ("relative_error", "fp32"),
    "inject.md": ("relative_error", "fp32"),
    "train.md": ("val_clean",),
    "attack.md": ("worst_draw", "all checks", "%"),
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


@pytest.mark.parametrize("page", [*filter(untitled, PAGES)], ids=lambda page: page.name)
def test_python_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for code in untitled(page):
        exec(compile(code, str(page), "exec"), namespace)
    out = capsys.readouterr().out
    for word in PRINTED[page.name]:
        assert word in out
    if "fp32" in PRINTED[page.name]:
        assert json.loads((tmp_path / "layers.json").read_text())["layers"]


def test_keys_of_the_training_page_are_those_of_a_config(tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "config" / "cifar10.yaml").read_text())
    for _, text in blocks(ROOT / "docs" / "train.md", "yaml"):
        for part, entries in yaml.safe_load(text).items():
            config[part] |= entries
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert {"trained", "best", "given"} < set(load_config(tmp_path / "config.yaml").bases)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_links_to_are_there(page: Path) -> None:
    for path in re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", page.read_text()):
        assert (page.parent / path).exists(), path


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
