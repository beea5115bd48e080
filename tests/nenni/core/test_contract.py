"""A plugin that its callers could not use is refused where it is read."""

import sys
from pathlib import Path

import pytest

from nenni.core import contract, plugins, settings
from nenni.core.errors import UserError

ATTACK = """
from nenni.core.types import Norm
__all__ = ["own"]
def own(model, inputs, labels, eps, generator, *, norm: Norm = "linf"):
    return inputs
"""
SELECTION = """
from pydantic.dataclasses import dataclass
from nenni.method.selection_base import Selection
__all__ = ["Own"]
@dataclass(frozen=True)
class Own(Selection):
    def mask(self, score, generator):
        return score > 0
    def margin(self, score, mask):
        return score
    def nominal(self):
        return 0.5
"""
PROJECTION = """
from pydantic.dataclasses import dataclass
from nenni.method.projection_base import Drawn
__all__ = ["Own"]
@dataclass(frozen=True)
class Own(Drawn):
    def sample(self, k, d, generator):
        return None
"""
NOISE = """
from dataclasses import dataclass
from nenni.method.noise_base import Noise
__all__ = ["Own"]
@dataclass(frozen=True)
class Own(Noise):
    def value(self, z, z_tilde, deviation, generator):
        return z
"""
METHOD = """
from dataclasses import dataclass
from nenni.training.objective import CrossEntropy
__all__ = ["Own"]
@dataclass
class Own(CrossEntropy):
    def perturb(self, model, x, y, eps, attack, generator):
        return x
"""
MODEL = """
__all__ = ["own"]
def own(input_shape, n_classes):
    pass
"""
SCHEDULE = """
__all__ = ["own"]
def own(step, steps, /):
    return 1.0
"""
SURROGATE = """
__all__ = ["own"]
def own(model):
    return model
"""
DATA = """
__all__ = ["own"]
def own(*, size: int = 1):
    pass
"""
WHOLE = {
    "attack": ATTACK, "selection": SELECTION, "projection": PROJECTION, "noise": NOISE,
    "method": METHOD, "model": MODEL, "schedule": SCHEDULE, "surrogate": SURROGATE, "data": DATA,
}  # fmt: skip
LACKING = [
    ("attack", '*, norm: Norm = "linf"', "*, size: int = 1", "keyword-only parameter norm"),
    ("attack", '*, norm: Norm = "linf"', 'norm: Norm = "linf"', "takes .*, norm.: it should take"),
    ("attack", "norm: Norm", "norm: str", "annotated as one of Norm, LInf, L2 of nenni.core.types"),
    (
        "attack",
        "(model,",
        "(net,",
        "takes .net, inputs, .* should take .model, inputs, labels, eps, ",
    ),
    ("attack", "generator, *", "*rest", "takes .model, inputs, labels, eps, rest."),
    ("attack", "def own(", "class own:\n  def own(", "is a class: write the attack as a function"),
    ("selection", "def nominal", "def aim", "Own lacks nominal: derive it from Selection of nenni"),
    (
        "selection",
        "(Selection)",
        "",
        "Own lacks additions, .*: derive it from Selection of .* mask",
    ),
    (
        "selection",
        "class Own(Selection)",
        "def Own()",
        "is a function: write the selection as a class",
    ),
    ("selection", "@dataclass(frozen=True)", "", "is no dataclass: put @dataclass"),
    ("projection", "def sample", "def draw", "Own lacks sample: derive it from Projection"),
    ("projection", "Drawn", "Projection", "Own lacks rows: derive it"),
    ("noise", "def value", "def noise", "Own lacks value: derive it from Noise"),
    ("method", "def perturb", "def change", "Own lacks perturb: derive it from Objective"),
    ("method", "CrossEntropy", "Objective", "Own lacks loss: derive it from Objective"),
    ("model", "n_classes", "classes", "takes .input_shape, classes.: it should take"),
    ("schedule", "step,", "epoch,", "takes .epoch, steps.: it should take .step, steps, "),
    ("surrogate", "(model)", "()", "takes ..: it should take .model, "),
    ("data", "*, size", "size", "takes .size.: it should take "),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(plugins, "_folders", {})
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path / "mine"


def use(folder: Path, kind: str, text: str) -> None:
    (folder / kind).mkdir(parents=True)
    (folder / kind / "own.py").write_text(text)
    plugins.use_plugins(folder)


@pytest.mark.parametrize("kind", WHOLE)
def test_what_has_all_is_taken(kind: str, folder: Path) -> None:
    use(folder, kind, WHOLE[kind])
    settings.schema(kind, "own")


@pytest.mark.parametrize(("kind", "old", "new", "message"), LACKING)
def test_what_lacks_something_is_told_what(
    kind: str, old: str, new: str, message: str, folder: Path
) -> None:
    assert old in WHOLE[kind]
    use(folder, kind, WHOLE[kind].replace(old, new))
    with pytest.raises(UserError, match=rf"mine/{kind}/own\.py: .*{message}"):
        settings.schema(kind, "own")


def test_a_class_with_a_base_that_cannot_be_read_is_not_judged(folder: Path) -> None:
    use(folder, "noise", NOISE.replace("nenni.method.noise_base", "some_package"))
    settings.schema("noise", "own")


def test_a_default_that_is_no_plain_value_is_named(folder: Path) -> None:
    use(folder, "data", DATA.replace("= 1", "= SIZE"))
    with pytest.raises(UserError, match=r"own.py: own: a config cannot read the default SIZE"):
        settings.schema("data", "own")


def test_every_kind_but_figures_has_a_contract() -> None:
    assert contract.GIVEN.keys() | contract.BASES.keys() == plugins.PACKAGES.keys() - {"figure"}
