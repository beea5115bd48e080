"""What the cost model's own command counts, and what it says where it cannot."""

from typing import Any

import pytest
import torch
from torch import nn

from nenni.cards.cost import count
from nenni.core.errors import UserError
from nenni.cost.describe import describe


@pytest.fixture(scope="module")
def layers() -> dict[str, Any]:
    """3 x 3 convolution, 2 to 5 channels, on 4 x 6 outputs; 120 inputs to 7 outputs."""
    network = nn.Sequential(nn.Conv2d(2, 5, 3), nn.Flatten(), nn.Linear(120, 7)).eval()
    return describe(network, torch.rand(3, 2, 6, 8))


def test_a_plain_network_by_hand(layers: dict[str, Any]) -> None:
    macs = 4 * 6 * 5 * 2 * 9 + 120 * 7
    found = count(layers)
    assert found.terms == {"exact": macs * 32 * 32}
    by = {(row.baseline, row.variant): row for row in found.bitops}
    assert len(by) == len(found.bitops) == 6
    for baseline, bits in (("fp32", 32), ("fp16", 16), ("int8", 8)):
        assert by[baseline, "as_evaluated"].dense == macs * bits**2
        assert by[baseline, "as_evaluated"].with_overheads == macs * 32**2
        assert by[baseline, "as_evaluated"].evaluated
        assert by[baseline, "exact_at_baseline"].evaluated == (bits == 32)
    times = {row.platform: row for row in found.times}
    assert times["server_cpu"].network == times["server_cpu"].dense_fp32
    assert times["systolic_32x32"].dense_fp32 is None
    energies = {(row.platform, row.bits): row for row in found.energies}
    assert len(energies) == len(found.energies)
    assert {bits for (_, bits), row in energies.items() if row.evaluated} == {32}
    assert {platform for platform, _ in energies} <= set(times)
    for row in energies.values():
        assert row.network == row.dense
    assert found.metric == "product"
    assert "not measurements" in found.convention


def test_what_cannot_be_counted_is_told(layers: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"the cost model cannot count it: hwmodel: .*version"):
        count({**layers, "version": 99})
