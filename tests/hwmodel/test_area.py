"""Areas by hand with the constants of the table."""

from typing import Any

import pytest

import hwmodel
from hwmodel.area import area_um2, multiplier_um2

TABLE = hwmodel.load_energy_table("horowitz_45nm")


@pytest.mark.parametrize(
    ("bits", "expected"), [(8, 282 + 137), (4, 282 / 4 + 137), (16, 1640 + 1360), (32, 7700 + 4184)]
)
def test_a_multiplier_and_its_adder(bits: int, expected: float) -> None:
    assert multiplier_um2(TABLE, bits) == expected


def test_a_platform(make_preset: Any) -> None:
    preset = make_preset(buffer_bytes=1000.0)
    rest = 5 * 137 + 1000 * 3.7
    assert area_um2(preset, TABLE, 8) == pytest.approx(100 * (282 + 137) + rest)
    assert area_um2(preset, TABLE, 4) == area_um2(preset, TABLE, 8)
    picked = 100 * (282 + 137 + 8 * 15 * 1.862 / 4) + rest
    assert area_um2(preset, TABLE, 8, picks_among=16) == pytest.approx(picked)
    alone = make_preset(buffer_bytes=1000.0, elements={"neurons": 8, "in_step": 16})
    picked = 100 * (282 + 137 + 8 * 15 * 1.862) + rest
    assert area_um2(alone, TABLE, 8, picks_among=16) == pytest.approx(picked)


def test_what_is_not_known(make_preset: Any) -> None:
    preset = make_preset(buffer_bytes=1000.0)
    assert area_um2(make_preset(), TABLE, 8) is None
    assert area_um2(make_preset({"8": 1.0}, buffer_bytes=1.0), TABLE, 16) is None
    for key in ("multiplexer_um2", "integer_multiply_8_um2", "buffer_um2_per_byte"):
        assert area_um2(preset, TABLE.model_copy(update={key: None}), 8) is None
