import pytest

from nenni.core import radius
from nenni.core.errors import UserError


@pytest.mark.parametrize(
    ("norm", "given", "inside", "shown"),
    [("linf", 8, 8 / 255, "8/255"), ("linf", 76.5, 0.3, "76.5/255"), ("l2", 0.5, 0.5, "0.5")],
)
def test_one_rule(norm: radius.Norm, given: float, inside: float, shown: str) -> None:
    eps = radius.from_config(given, norm)
    assert eps == pytest.approx(inside, abs=1e-15)
    assert radius.to_read(eps, norm) == pytest.approx(given)
    assert radius.shown(eps, norm) == shown


@pytest.mark.parametrize(
    ("eps", "norm"), [(0.0, "linf"), (1.0, "linf"), (8.0, "l2"), (255.0, "l2")]
)
def test_radii_that_a_config_could_have(eps: float, norm: radius.Norm) -> None:
    radius.check(eps, norm)


@pytest.mark.parametrize(
    ("eps", "norm", "message"),
    [
        (8, "linf", "for linf from 0 to 1; got 8: write 8/255$"),
        (300, "linf", "for linf from 0 to 1; got 300$"),
        (256, "l2", "for l2 from 0 to 255; got 256$"),
        (-0.1, "linf", "got -0.1$"),
        (float("nan"), "l2", "got nan$"),
    ],
)
def test_other_radii_are_refused_with_the_remedy(
    eps: float, norm: radius.Norm, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        radius.check(eps, norm)
