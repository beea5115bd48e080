"""Plugins by name, in this package and in folders of one's own."""

from pathlib import Path

import pytest
from pydantic_core import PydanticCustomError

from nenni.core import plugins
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


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(plugins, "_folders", [])
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
    assert plugins.folder_of("selection", "every_second") == mine
    assert plugins.folder_of("selection", "topk") is None
    checked = plugins.validate("selection", {"name": "every_second"})
    assert checked == {"name": "every_second", "first": 0}
    selection = plugins.build("selection", checked | {"first": 1})
    assert selection.first == 1
    assert selection.nominal() == 0.5
    assert plugins.name_of("selection", type(selection)) == "every_second"


def test_a_plugin_of_another_name_is_not_found_by_it(mine: Path) -> None:
    from nenni.method.selection.topk import TopK

    assert plugins.name_of("selection", TopK) == "topk"
    assert plugins.name_of("selection", Path) is None
    with pytest.raises(PydanticCustomError, match="unknown selection 'every_second'"):
        plugins.validate("selection", {"name": "every_second"})


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
    monkeypatch.setattr(plugins, "_folders", [])
    for name, text in files.items():
        file = tmp_path / "bad" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    with pytest.raises(UserError, match=message):
        plugins.use_plugins(tmp_path / "bad")
    assert not plugins._folders


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"name": "n_m", "n": 4, "m": 2}, (("n",), "should be at most m = 2")),
        ({"name": "topk", "fraction": 2}, (("fraction",), "should be less than or equal to 1, got 2")),
        ({"name": "topk", "fraction": 0.5, "x": 1}, (("x",), "unknown key")),
        ({"name": "topk"}, (("fraction",), "is missing")),
    ],
)  # fmt: skip
def test_problems_say_where(value: plugins.Ref, problem: tuple[object, str]) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        plugins.validate("selection", value)
    assert caught.value.context == {"problems": [problem]}


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
    ref = plugins.validate("data", {"name": "npz", "train": "a.npz"})
    assert plugins.files("data", ref) == ["a.npz"]
    assert plugins.files("data", plugins.validate("data", {"name": "mnist5k"})) == []
