"""A plugin's config checked by its source."""

import pytest
from pydantic_core import PydanticCustomError

from nenni.core import plugins, settings


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
        settings.validate("selection", value)
    assert caught.value.context == {"problems": [problem]}
