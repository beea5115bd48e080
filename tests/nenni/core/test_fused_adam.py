"""The fused kernel takes the steps of Adam, with roots that are the same everywhere."""

import numpy as np
import pytest
import torch

from nenni.core.fused_adam import fused_adam


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_its_steps_are_those_of_the_paper(decay: float) -> None:
    """Kingma, Ba: Adam, ICLR 2015, algorithm 1, in double precision."""
    draws = torch.Generator().manual_seed(0)
    w = torch.rand(50, generator=draws, dtype=torch.float64).requires_grad_()
    expected, m, v = w.detach().numpy().copy(), np.zeros(50), np.zeros(50)
    optimiser = fused_adam([w], 0.01, decay)
    for t in range(1, 8):
        w.grad = torch.rand(50, generator=draws, dtype=torch.float64) - 0.5
        g = w.grad.numpy() + decay * expected
        optimiser.step()
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        root = np.sqrt(v / (1 - 0.999**t)) + 1e-8
        expected -= 0.01 * m / (1 - 0.9**t) / root
    np.testing.assert_allclose(w.detach().numpy(), expected, rtol=1e-12)


def test_a_cpu_takes_the_fused_kernel() -> None:
    """Which alone takes no root of MKL's."""
    w = torch.rand(5, requires_grad=True)
    assert fused_adam(iter([w]), 0.1).param_groups[0]["fused"] is True


def test_other_devices_take_what_torch_chooses() -> None:
    w = torch.rand(5, device="meta", requires_grad=True)
    assert fused_adam([w], 0.1).param_groups[0]["fused"] is None
