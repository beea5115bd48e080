import pytest

from nenni.training.schedules.cosine import cosine
from nenni.training.schedules.one_cycle import one_cycle
from nenni.training.schedules.piecewise import piecewise


def test_schedules() -> None:
    rates = [cosine(step, 10, warmup=0.5) for step in range(11)]
    assert rates[:5] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6])
    assert rates[5] == 1
    assert rates[10] == pytest.approx(0)
    assert [one_cycle(step, 10, peak=0.4) for step in (0, 3, 4, 7, 10)] == [0.2, 0.8, 1, 0.5, 0]
    assert [piecewise(step, 200) for step in (99, 100, 150)] == pytest.approx([1, 0.1, 0.01])
