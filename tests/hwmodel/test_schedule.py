"""Phases together, by hand."""

from typing import Any

import pytest

from hwmodel.phase import NOTHING, Phase
from hwmodel.schedule import layer_seconds

PROJECTION, APPROXIMATION = Phase(4.0, 1.0, 2.0, 0.5), Phase(3.0, 0.0, 6.0, 0.5)
SELECTION, EXACT = Phase(0.0, 2.0, 3.0, 0.5), Phase(5.0, 1.0, 1.0, 0.5)
PHASES = (PROJECTION, APPROXIMATION, SELECTION, EXACT)


@pytest.mark.parametrize(
    ("order", "selection", "batch", "expected"),
    [
        ("serial", "topk", 1, 5 + 6 + 3 + 6 + 4 * 0.5),
        ("fused", "topk", 1, 5 + 6 + 3 + 6 + 0.5),
        ("overlapped", "topk", 1, max(7, 1, 8) + 3 + 5 + 0.5),
        ("overlapped", "4x2", 1, max(7, 1, 8) + 3 + 5 + 0.5),
        ("overlapped", "channel", 1, max(7, 1, 8) + 3 + 5 + 0.5),
        ("overlapped", "threshold", 1, max(12, 4, 12) + 0.5),
        ("overlapped", "2:4", 1, max(12, 4, 12) + 0.5),
        ("overlapped", "random", 1, max(12, 4, 12) + 0.5),
        ("overlapped", "topk", 2, (max(12, 4, 12) + max(7, 1, 8) + 3 + 5) / 2 + 0.5),
        ("overlapped", "2:4", 2, max(12, 4, 12) + 0.5),
    ],
)
def test_four_phases(
    make_layer: Any, order: Any, selection: str, batch: int, expected: float
) -> None:
    injection = make_layer({"selection": selection}).injection
    assert layer_seconds(PHASES, order, injection, batch) == pytest.approx(expected)


@pytest.mark.parametrize("order", ["serial", "fused", "overlapped"])
def test_one_phase_is_what_it_is_but_for_what_overlaps(order: Any) -> None:
    phases = (NOTHING, NOTHING, NOTHING, EXACT)
    assert layer_seconds(phases, order, None) == (5.5 if order == "overlapped" else 6.5)
    assert layer_seconds((NOTHING,) * 4, order, None) == 0
