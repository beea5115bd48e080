import pytest

from nenni.core.errors import UserError
from nenni.results.figure_style import grid


def test_a_figure_that_no_picture_can_be_is_refused() -> None:
    assert len(grid(60, 7.2, 10.0)[1]) == 60
    with pytest.raises(UserError, match=r"with 20 rows of 20 inches is too high .* below 16\.4"):
        grid(60, 7.2, 20.0)
