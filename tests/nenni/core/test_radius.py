import pytest

from nenni.core import radius


@pytest.mark.parametrize(
    ("norm", "given", "inside", "shown"),
    [("linf", 8, 8 / 255, "8/255"), ("linf", 76.5, 0.3, "76.5/255"), ("l2", 0.5, 0.5, "0.5")],
)
def test_one_rule(norm: radius.Norm, given: float, inside: float, shown: str) -> None:
    eps = radius.from_config(given, norm)
    assert eps == pytest.approx(inside, abs=1e-15)
    assert radius.to_read(eps, norm) == pytest.approx(given)
    assert radius.shown(eps, norm) == shown
