"""Mixing by a mask, by torch's operators and by the kernel."""

import pytest
import torch
from fused_cases import DEVICES, KINDS, awkward

from nenni.method.fused.mixing import mixed


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_operator_is_its_formula(device: str, kind: str, dtype: torch.dtype) -> None:
    z = awkward(kind, 2, 3, 4, 5, dtype=dtype).to(device)
    noise = awkward("normal", 2, 3, 4, 5, seed=1, dtype=dtype).to(device)
    mask = awkward("normal", 2, 3, 4, 5, seed=2).to(device) > 0
    for first, second in ((z, noise), (noise, z)):
        found, expected = torch.ops.nenni.mixed(first, second, mask), mixed(first, second, mask)
        assert torch.equal(found.isfinite(), expected.isfinite())
        both = found.isfinite()
        assert torch.equal(found[both], expected[both])
        assert torch.equal(found[both], torch.where(mask, first, second)[both])
