"""What else could be done: every way has its hardware, and costs no more than it says."""

from typing import Any

import pytest

import hwmodel
from hwmodel import alternatives
from hwmodel.phase import Phase
from hwmodel.roofline import dense_phase


def test_names_and_hardware_go_together() -> None:
    assert list(alternatives.HARDWARE) == list(alternatives.NAMES)
    assert len(set(alternatives.NAMES)) == len(alternatives.NAMES)


@pytest.mark.parametrize("preset", hwmodel.preset_names())
@pytest.mark.parametrize("name", alternatives.NAMES)
def test_a_way_is_a_phase_or_why_there_is_none(name: str, preset: str, make_layer: Any) -> None:
    found = alternatives.phase(name, make_layer(), hwmodel.load_preset(preset))
    assert isinstance(found, Phase) or found.startswith("no ") or "measured" in found


@pytest.mark.parametrize("name", [n for n in alternatives.NAMES if "INT8" in n])
def test_no_way_at_eight_bits_is_slower_than_dense(name: str, make_layer: Any) -> None:
    for preset in map(hwmodel.load_preset, hwmodel.preset_names()):
        layer = make_layer(zero_inputs=0.4)
        found = alternatives.phase(name, layer, preset, 4)
        if isinstance(found, Phase):
            assert found.seconds <= dense_phase(layer, preset, 8, 4).seconds
