"""What may be set is read from the source, with bases, defaults and constants."""

import ast
from pathlib import Path

import pytest

from nenni.core import plugins, settings
from nenni.core.declarations import file_of, read
from nenni.core.errors import UserError

SOURCE = """
from dataclasses import field
from nenni.method.noise.zero import Zero
from nenni.training.schedules.cosine import cosine
from nenni.method.projection_base import Drawn

__all__ = ["Mine"]


class Base:
    kept: Count
    changed: float = 1.0
    adversarial: ClassVar[bool] = True


class Mine(Base, Drawn):
    changed: Positive = 2.0
    mode: Literal["a", "b"] = "a"
    several: list[Fraction] = [0.5]
    maybe: str | None = None
    noise: Noise = Zero()
    other: Noise = field(default_factory=Zero)
    schedule: Schedule = cosine
    patterns: Sequence[str] = ()
    adversarial: ClassVar[bool] = False


def work(model: nn.Module, *, steps: Count = 3, progress: Callable = print) -> None:
    pass
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return path


def test_fields_of_bases_come_first_and_may_be_changed(file: Path) -> None:
    found = read(file)
    names = [p.name for p in found.parameters]
    assert names[:3] == ["kept", "changed", "ratio"]
    assert found.constants["adversarial"] is False
    assert read(file, "Base").constants == {"adversarial": True}


def test_defaults_are_what_a_config_would_give(file: Path) -> None:
    given = {"kept": 2, "ratio": 0.5}
    assert settings.checked(settings.model_of(read(file)), given) == {
        "kept": 2, "changed": 2.0, "ratio": 0.5, "mode": "a", "several": [0.5], "maybe": None,
        "noise": {"name": "zero"}, "other": {"name": "zero"},
        "schedule": {"name": "cosine", "warmup": 0.3}, "patterns": [],
    }  # fmt: skip


def test_a_function_lets_one_set_its_keyword_only_parameters(file: Path) -> None:
    found = read(file, "work")
    assert found.given == {"model": "nn.Module"}
    assert list(settings.model_of(found).model_fields) == ["steps"]


@pytest.mark.parametrize(
    ("line", "annotation"),
    [
        ("from nenni.adversary.attack import Injected", "Injected"),
        ("from nenni.adversary.attack import Injected", "'Injected'"),
        ("from nenni.adversary.attack import Injected as I", "I"),
        ("from nenni.adversary import attack", "attack.Injected"),
        ("import nenni.adversary.attack", "'nenni.adversary.attack.Injected'"),
    ],
)
def test_an_annotation_means_what_was_imported(line: str, annotation: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"{line}\ndef f(model: {annotation}):\n    pass\n")
    assert read(path, "f").given == {"model": "nenni.adversary.attack.Injected"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "should say what it offers"),
        ('__all__ = ["Other"]', "has no class or function Other"),
        ("def f(:", "cannot be read as Python"),
        ('__all__ = ["f"]\ndef f(*, a): pass', "its parameter a should carry an annotation"),
    ],
)
def test_files_that_declare_nothing_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(UserError, match=f"mine.py: {message}"):
        read(path)


def test_what_no_config_can_give_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text('__all__ = ["f"]\ndef f(*, a: Tensor = 0): pass')
    with pytest.raises(UserError, match=r"mine.py: f: a config cannot set .* annotated as Tensor"):
        settings.model_of(read(path))


def test_nothing_is_run(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        f'__all__ = ["f"]\nopen({str(tmp_path / "ran")!r}, "w")\ndef f(*, a: Count = 1): pass'
    )
    settings.model_of(read(path))
    assert not (tmp_path / "ran").exists()


def test_defaults_read_from_the_source_are_those_that_python_sees() -> None:
    from dataclasses import MISSING, fields

    from nenni.training.recipe import Recipe

    model = settings.model_of(read(file_of("nenni.training.recipe"), "Recipe"))
    for f in fields(Recipe):
        default = model.model_fields[f.name].default
        if f.default is MISSING:
            assert model.model_fields[f.name].is_required()
        elif f.name == "schedule":
            assert plugins.load("schedule", default["name"]) is f.default
        else:
            assert default == f.default


def test_every_plugin_can_be_read() -> None:
    for kind in plugins.PACKAGES:
        for name in plugins.names(kind):
            assert ast.parse(plugins.path(kind, name).read_text())
            settings.schema(kind, name)
    assert file_of("nenni.core.plugins").exists()
