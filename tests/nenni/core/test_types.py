"""What a setting of each type may be."""

from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from nenni.core import plugins, settings, types
from nenni.core.types import NUMBER, File, Grid, ImportPath, Name, Pattern, Several


def taken(kind: Any, value: Any) -> bool:
    try:
        TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


@given(st.text(max_size=300))
def test_a_path_can_be_written_and_told_on_a_line(text: str) -> None:
    if taken(File, text):
        assert text.isprintable()
        assert all(0 < len(text.encode()) <= 1000 for part in text.split("/") if part)
        assert all(len(part.encode()) < 256 for part in text.split("/"))


@given(st.text("a:._1 é", max_size=12))
def test_an_import_path_has_a_module_and_a_function(text: str) -> None:
    module, _, function = text.partition(":")
    parts = [*module.split("."), function]
    assert taken(ImportPath, text) == all(part.isidentifier() for part in parts)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_a_grid_has_as_many_rows_in_a_table_as_values(values: list[float]) -> None:
    assert taken(Grid[float], values) == (len({NUMBER % value for value in values}) == len(values))
    assert taken(Several[float], values) == (len(set(values)) == len(values))


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Name, ["a", "0_z", "x" * 100], ["", "A", "a b", "a\n", "x" * 101, "ü"]),
        (Pattern, ["*", "!fc1", "type:Linear", "layer[34].*"], ["", "!", " ", "type:", "!type:", "a\n"]),
        (types.CifarDepth, [8, 20, 110], [-4, 0, 2, 21, 2006]),
        (types.WideDepth, [10, 28, 34], [4, 20, 35]),
        (types.Number, [0.0, -1e9, 1e9], [float("nan"), float("inf"), 1e308, "1"]),
        (types.Decay, [0.0, 0.999], [1.0, -0.1, float("nan")]),
        (types.Inches, [1.0, 20.0], [0.0, -3.0, 400.0, float("nan")]),
        (types.Few, [1, 1024], [0, 1025, True, 1.0]),
        (types.Count, [1, 2**31 - 1], [0, 2**31, 10**40]),
    ],
)  # fmt: skip
def test_members(kind: Any, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if not taken(kind, value)] == []
    assert [value for value in bad if taken(kind, value)] == []


@pytest.mark.parametrize("kind", plugins.PACKAGES)
def test_every_default_is_what_a_config_may_set(kind: str) -> None:
    for name in plugins.names(kind):
        for key, info in settings.schema(kind, name).model_fields.items():
            if not info.is_required() and not isinstance(info.default, dict):
                annotated = Annotated[info.annotation, None, *info.metadata]
                assert taken(annotated, info.default), (name, key)
