"""Rounding and its gradient, by torch's operators and by the kernel."""

import pytest
import torch
from fused_cases import DEVICES, KINDS, awkward

from nenni.method.fused.rounding import round_to_codes, unclipped


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_operators_are_their_formulas(device: str, kind: str, dtype: torch.dtype) -> None:
    x = awkward(kind, 6, 5, 4, 3, dtype=dtype).to(device)
    gradient = awkward("normal", 6, 5, 4, 3, seed=1, dtype=dtype).to(device)
    for layout in (torch.contiguous_format, torch.channels_last):
        x, scales = x.to(memory_format=layout), [torch.tensor(0.31), torch.rand(6, 1, 1, 1)]
        for scale in (scale.to(x) for scale in scales):
            for q in (1, 7, 127):
                codes = torch.ops.nenni.round_to_codes(x, scale, q)
                assert torch.equal(codes.nan_to_num(), round_to_codes(x, scale, q).nan_to_num())
                assert torch.equal(codes.isnan(), x.isnan())
                found = torch.ops.nenni.unclipped(gradient, x, scale, q + 0.5)
                assert torch.equal(found, unclipped(gradient, x, scale, q + 0.5))


@pytest.mark.parametrize("device", DEVICES)
def test_half_precision_is_rounded_as_by_the_formula_within_its_own_precision(device: str) -> None:
    x = awkward("normal", 1000, dtype=torch.bfloat16).to(device)
    scale = torch.tensor(0.31, device=device)
    found = torch.ops.nenni.round_to_codes(x, scale, 7)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, round_to_codes(x, scale, 7))
