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
def test_half_precision_is_rounded_to_a_nearest_code_within_its_own_precision(device: str) -> None:
    """At a tie, which its 8 bits of mantissa cannot tell from close by, either code will do."""
    x = awkward("normal", 1000, dtype=torch.bfloat16).to(device)
    scale = torch.tensor(0.31, device=device)
    found = torch.ops.nenni.round_to_codes(x, scale, 7)
    assert found.dtype == torch.bfloat16
    codes, exact = found.double() / 0.31, (x.double() / 0.31).clamp(-7, 7)
    precision = 2**-7 * exact.abs()
    assert bool(((codes - codes.round()).abs() <= precision + 2**-7).all())
    assert bool(((codes - exact).abs() <= 0.5 + 2 * precision + 2**-7).all())
    assert len(codes.round().unique()) == 15
