import pytest

from nenni.core.errors import UserError
from nenni.results.figure_style import COLOURS, HATCHES, bar_style, grid, look


def test_a_figure_that_no_picture_can_be_is_refused() -> None:
    assert len(grid(60, 7.2, 10.0)[1]) == 60
    with pytest.raises(UserError, match=r"with 20 rows of 20 inches is too high .* below 16\.4"):
        grid(60, 7.2, 20.0)


def test_more_names_than_colours_can_still_be_told_apart() -> None:
    names = [f"defence_{i}" for i in range(40)]
    looks = [(style["color"], style["marker"]) for style in look(names).values()]
    assert len(set(looks)) == len(names)
    assert [colour for colour, _ in looks[:8]] == list(COLOURS)
    lines = [(style["color"], str(style["linestyle"])) for style in look(names).values()]
    assert len(set(lines)) == len(names)


def test_more_bars_than_colours_can_still_be_told_apart() -> None:
    found = [(style["color"], style["hatch"]) for style in map(bar_style, range(20))]
    assert len(set(found)) == 20
    assert [hatch for _, hatch in found[:8]] == [*HATCHES]
