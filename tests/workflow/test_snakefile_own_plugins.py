"""Plugins in a folder of one's own go the whole way, with no other edit, and reruns follow them."""

import pandas as pd
import pytest
import yaml
from workflow_project import Project

SELECTION = '''"""Every second channel."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from shared_by_mine import PERIOD
from torch import Tensor

from nenni.core.types import Index
from nenni.method.selection_base import Selection

__all__ = ["EverySecond"]


@dataclass(frozen=True)
class EverySecond(Selection):
    """m = 1 on every second channel, whatever its score.

    Parameters
    ----------
    first : int
        The first of them.
    """

    first: Index = 0
    judges: ClassVar[Literal["approximate", "exact", "nothing"]] = "nothing"
    ranks: ClassVar[bool] = False

    def mask(self, score: Tensor) -> Tensor:
        channels = torch.arange(score.shape[1]) % PERIOD == self.first
        return channels.view(1, -1, *(1,) * (score.dim() - 2)).expand(score.shape)

    def margin(self, score: Tensor, mask: Tensor) -> None:
        return None

    def nominal(self) -> float:
        return 1 / PERIOD
'''
PROJECTION = '''"""Random signs."""

from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from nenni.method.projection_base import Drawn

__all__ = ["Signs"]


@dataclass(frozen=True)
class Signs(Drawn):
    """P in {-1, +1}^(k x d) / sqrt(k)."""

    real: ClassVar[bool] = False

    def nonzero_bits(self, rows: int, columns: int) -> int:
        return 1

    def sample(self, k: int, d: int, generator: torch.Generator) -> Tensor:
        signs = torch.randint(2, (k, d), generator=generator, device=generator.device) * 2.0 - 1
        return signs / k**0.5
'''
ATTACK = '''"""One corner of the ball."""

import torch
from torch import Tensor, nn

from nenni.adversary.ball import Ball
from nenni.core.types import Norm

__all__ = ["corner"]


def corner(
    model: nn.Module, inputs: Tensor, labels: Tensor, eps: float, generator: torch.Generator,
    *, norm: Norm = "linf", brighter: bool = True,
) -> Tensor:
    """x' = x + eps, or x - eps."""
    return Ball(inputs, eps, norm).project(inputs + (eps if brighter else -eps))
'''


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.copy(tmp_path_factory.mktemp("own") / "project")
    mine = project.folder / "my plugins"
    for name, text in (
        ("selection/every_second", SELECTION), ("projection/signs", PROJECTION),
        ("attack/corner", ATTACK), ("shared_by_mine", "PERIOD = 2\n"),
    ):  # fmt: skip
        (mine / f"{name}.py").parent.mkdir(parents=True, exist_ok=True)
        (mine / f"{name}.py").write_text(text)
    config = yaml.safe_load(project.config.read_text())
    config["plugins"] = ["my plugins"]
    config["attacks"]["corner"] = {"name": "corner"}
    config["defences"]["mine"] = {
        "injection": {
            "selection": {"name": "every_second"}, "projection": {"name": "signs", "ratio": 0.125},
        }
    }  # fmt: skip
    config["experiments"] = {"at": ["none", "topk", "mine"]}
    config["evaluations"] = {
        "corner": {"attack": "corner", "eps": {"at": [12.75]}, "examples": 20, "defences": ["none", "mine"]}
    }  # fmt: skip
    for part in ("suites", "diagnose"):
        del config[part]
    config["tables"] |= {"clean": "corner", "columns": {"corner": "corner"}}
    config["figures"] = {
        "bitops_per_layer": {"name": "bitops_per_layer", "base": "at", "defences": ["mine"]}
    }
    project.config.write_text(yaml.safe_dump(config))
    return project


def targets() -> list[str]:
    return [
        "results/tiny/figures/bitops_per_layer.png",
        "results/tiny/tables/latency.csv",
        *(f"results/tiny/experiments/at/{d}/seed0/attacks/corner.csv" for d in ("none", "mine")),
    ]


@pytest.mark.slow
def test_from_the_config_to_the_figure(project: Project) -> None:
    done = project.run("snakemake", "--cores", "2", *targets())
    assert done.returncode == 0, done.stdout + done.stderr
    results = project.folder / "results" / "tiny"
    fit = pd.read_csv(results / "experiments/at/mine/seed0/fit.csv")
    assert fit["fraction"].tolist() == [0.5] * len(fit)
    operations = pd.read_csv(results / "tables" / "operations.csv")
    mine = operations[operations["defence"] == "mine"]
    selection = mine[mine["term"] == "selection"]
    assert len(selection) == len(fit)
    assert selection[["additions", "comparisons", "bitops"]].to_numpy().sum() == 0
    projection, exact = (mine[mine["term"] == t] for t in ("projection", "exact"))
    assert (projection["additions"] > 0).all()
    assert (projection["macs"] == 0).all()
    assert len(exact) > len(fit)
    reductions = pd.read_csv(results / "tables" / "reductions.csv")
    assert (reductions.loc[reductions["defence"] == "mine", "reduction_with"] != 0).any()
    found = pd.read_csv(results / "experiments/at/mine/seed0/attacks/corner.csv")
    assert found["linf"].max() == pytest.approx(12.75 / 255)
    assert (results / "figures/bitops_per_layer.png").stat().st_size > 10_000

    change(project, "attack/corner", "inputs + (eps if", "inputs + 0 + (eps if")
    assert project.to_do(*targets()) == {f"attack at/{d}/seed0/corner" for d in ("none", "mine")}
    change(project, "attack/corner", "inputs + 0 + (eps if", "inputs + (eps if")
    assert project.to_do(*targets()) == set()

    change(project, "shared_by_mine", "PERIOD = 2", "PERIOD = 4")
    rerun = project.to_do(*targets())
    assert {"project at/mine/seed0", "describe at/mine/seed0"} <= rerun
    assert not any("topk" in job or "pretrain" in job or "none" in job for job in rerun)


def change(project: Project, name: str, old: str, new: str) -> None:
    file = project.folder / "my plugins" / f"{name}.py"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_a_folder_that_is_not_there_is_named(project: Project) -> None:
    done = project.run("snakemake", "-n", "--config", "plugins=['nowhere']")
    assert done.returncode != 0
    assert "config/config.yaml: plugins: there is no folder nowhere" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("selection/every_second", "first: Index = 0", "first: Tensor = 0", "what is annotated as Tensor"),
        ("projection/signs", "real: ClassVar", "real ClassVar", "cannot be read as Python"),
        ("projection/signs", "def sample", "def draw", "Signs lacks sample: derive it from Projection"),
        ("attack/corner", "*, norm: Norm", "*, ball: Norm", "should have the keyword-only parameter norm"),
        ("attack/corner", "model: nn.Module", "network: nn.Module", "takes (network, inputs, labels"),
        ("selection/every_second", "from shared_by_mine", "from .shared_by_mine", "import absolutely"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_plugin_is_named(
    project: Project, name: str, old: str, new: str, message: str
) -> None:
    change(project, name, old, new)
    try:
        check = project.run("nenni", "check", "config/config.yaml")
    finally:
        change(project, name, new, old)
    assert check.returncode == 2
    assert f"{name.partition('/')[2]}.py" in check.stderr
    assert message in check.stderr
    assert "Traceback" not in check.stderr


def test_a_setting_out_of_range_is_named(project: Project) -> None:
    text = project.config.read_text()
    project.config.write_text(
        text.replace("selection:\n        name: every_second", "selection:\n        first: -1\n        name: every_second")
    )  # fmt: skip
    try:
        check = project.run("nenni", "check", "config/config.yaml")
    finally:
        project.config.write_text(text)
    assert "defences.mine.injection.selection.first: should be greater than or equal to 0, got -1" in check.stderr  # fmt: skip
