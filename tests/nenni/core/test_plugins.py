"""Plugins by name, in this package and in folders of one's own."""

import sys
from pathlib import Path

import pytest
from pydantic_core import PydanticCustomError

from nenni.core import plugins, settings
from nenni.core.errors import UserError

SELECTION = '''"""Every second channel."""

from dataclasses import dataclass

import torch
from beside import STEP

from nenni.method.selection_base import Selection

__all__ = ["EverySecond"]


@dataclass(frozen=True)
class EverySecond(Selection):
    first: Index = 0

    def mask(self, score, generator):
        channel = torch.arange(score.shape[1]) % STEP == self.first
        return channel.view(1, -1, *(1,) * (score.dim() - 2)).expand(score.shape)

    def margin(self, score, mask):
        return None

    def nominal(self):
        return 1 / STEP
'''


NOISE = """
from dataclasses import dataclass
from nenni.method.noise_base import Noise

__all__ = ["Quiet"]

@dataclass(frozen=True)
class Quiet(Noise):
    def value(self, z, z_tilde, deviation, generator):
        return z
"""


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(plugins, "_folders", {})
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "beside", raising=False)
    folder = tmp_path / "mine"
    (folder / "selection").mkdir(parents=True)
    (folder / "selection" / "every_second.py").write_text(
        SELECTION.replace("import torch", "import torch\nfrom nenni.core.types import Index")
    )
    (folder / "beside.py").write_text("STEP = 2\n")
    return folder


def test_a_folder_of_ones_own(mine: Path) -> None:
    assert "every_second" not in plugins.names("selection")
    plugins.use_plugins(mine)
    plugins.use_plugins(str(mine))
    assert plugins.names("selection").count("every_second") == 1
    assert plugins.folder_of("selection", "every_second") == str(mine)
    assert plugins.folder_of("selection", "topk") is None
    checked = settings.validate("selection", {"name": "every_second"})
    assert checked == {"name": "every_second", "first": 0}
    selection = plugins.build("selection", checked | {"first": 1})
    assert selection.first == 1
    assert selection.nominal() == 0.5
    assert plugins.name_of("selection", type(selection)) == "every_second"


def test_a_relative_folder_is_found_from_anywhere(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mine.parent)
    plugins.use_plugins("mine")
    monkeypatch.chdir("/")
    assert plugins.folder_of("selection", "every_second") == "mine"
    assert plugins.build("selection", {"name": "every_second"}).nominal() == 0.5


def test_a_module_beside_another_folder_is_not_taken_for_ones_own(mine: Path) -> None:
    other = mine.with_name("other")
    write(other, "noise/quiet.py", "import beside\n" + NOISE)
    write(other, "beside.py", "LOUDNESS = 1\n")
    for folder in (mine, other):
        plugins.use_plugins(folder)
    settings.validate("selection", {"name": "every_second"})
    message = f"quiet.py: its import of beside would get {mine}/beside.py .* rename the latter"
    for use in (plugins.load, settings.schema):
        with pytest.raises(UserError, match=message):
            use("noise", "quiet")


@pytest.mark.parametrize("name", ["yaml", "json", "sys", "nenni"])
def test_an_installed_module_is_not_taken_for_ones_own(mine: Path, name: str) -> None:
    write(mine, "noise/quiet.py", f"import deep.below\n{NOISE}")
    write(mine, "deep/below.py", f"import {name}\n")
    write(mine, f"{name}.py", "")
    plugins.use_plugins(mine)
    with pytest.raises(UserError, match=f"quiet.py: its import of {name} would get "):
        settings.schema("noise", "quiet")


def test_what_no_plugin_imports_may_have_any_name(mine: Path) -> None:
    write(mine, "yaml.py", "")
    plugins.use_plugins(mine)
    assert plugins.build("selection", {"name": "every_second"}).nominal() == 0.5


SHARED = """
from dataclasses import dataclass
from nenni.core.types import Count
from nenni.method.noise.zero import Zero

@dataclass(frozen=True)
class Repeated(Zero):
    period: Count = 2
    noise: Noise = Zero()
"""
DERIVED = """
from dataclasses import dataclass
{0}

__all__ = ["Per"]

@dataclass(frozen=True)
class Per({1}):
    first: int = 0
"""


@pytest.mark.parametrize(
    ("line", "base"),
    [
        ("from shared_base import Repeated", "Repeated"),
        ("from shared_base import Repeated as R", "R"),
        ("import shared_base", "shared_base.Repeated"),
        ("import shared_base as s", "s.Repeated"),
        ("from shared_package import Repeated", "Repeated"),
        ("from shared_package import inner", "inner.Repeated"),
    ],
)
def test_fields_of_a_base_beside_the_plugins_are_seen(mine: Path, line: str, base: str) -> None:
    write(mine, "noise/per.py", DERIVED.format(line, base))
    write(mine, "shared_base.py", SHARED)
    write(mine, "shared_package/__init__.py", "from shared_package.inner import Repeated\n")
    write(mine, "shared_package/inner.py", SHARED)
    plugins.use_plugins(mine)
    assert settings.validate("noise", {"name": "per", "period": 3}) == {
        "name": "per", "period": 3, "noise": {"name": "zero"}, "first": 0,
    }  # fmt: skip
    with pytest.raises(PydanticCustomError, match="greater than or equal to 1"):
        settings.validate("noise", {"name": "per", "period": 0})


def test_a_base_is_asked_for_where_it_is_defined(mine: Path) -> None:
    write(mine, "noise/per.py", DERIVED.format("import nenni", "nenni.Zero"))
    plugins.use_plugins(mine)
    with pytest.raises(UserError, match=r"per.py: its base Zero should be imported from the file"):
        settings.schema("noise", "per")


def test_a_plugin_of_another_name_is_not_found_by_it(mine: Path) -> None:
    from nenni.method.selection.topk import TopK

    assert plugins.name_of("selection", TopK) == "topk"
    assert plugins.name_of("selection", Path) is None
    with pytest.raises(PydanticCustomError, match="unknown selection 'every_second'"):
        settings.validate("selection", {"name": "every_second"})


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "there is no folder"),
        ({"notes.txt": ""}, "has no plugins in subfolders named model, data, selection"),
        ({"selection/topk.py": ""}, "topk.py has the name of another selection; rename it"),
    ],
)
def test_folders_that_do_not_do(
    files: dict[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "_folders", {})
    for name, text in files.items():
        write(tmp_path / "bad", name, text)
    with pytest.raises(UserError, match=message):
        plugins.use_plugins(tmp_path / "bad")
    assert not plugins._folders


def test_refs_finds_plugins_at_any_depth() -> None:
    config = {
        "injection": {"selection": {"name": "topk"}, "overrides": {"a": {"noise": {"name": "zero"}}}},
        "battery": [{"attack": {"name": "pgd", "surrogate": {"name": "bpda"}}}],
        "base": "attack",
    }  # fmt: skip
    assert [(kind, ref["name"]) for kind, ref in plugins.refs(config)] == [
        ("selection", "topk"), ("noise", "zero"), ("attack", "pgd"), ("surrogate", "bpda"),
    ]  # fmt: skip


def test_files_that_a_plugin_names() -> None:
    ref = settings.validate("data", {"name": "npz", "train": "a.npz"})
    assert plugins.files("data", ref) == ["a.npz"]
    assert plugins.files("data", settings.validate("data", {"name": "mnist5k"})) == []
