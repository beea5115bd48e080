"""Draws by purpose, and what a network draws when its forward pass is run again."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from layer_cases import conv, linear, noisy
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from nenni.core.seeding import seeded
from nenni.method.noise.gaussian import GaussianNoise
from nenni.method.noise.resample import Resample
from nenni.method.noise.uniform import UniformNoise
from nenni.method.selection.random import Random
from nenni.method.selection.topk import TopK

RANDOMISED: list[dict[str, Any]] = [
    {"selection": Random(0.5)},
    {"selection": TopK(0.4), "noise": GaussianNoise()},
    {"selection": TopK(0.4), "noise": UniformNoise()},
    {"selection": TopK(0.4), "noise": Resample(3)},
    {"selection": Random(0.3), "noise": Resample(2)},
]


class Recomputed(nn.Module):
    """Injected blocks with dropout, whose activations are kept, or computed anew on the way back."""

    def __init__(self, choices: dict[str, Any]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([noisy(conv(), **choices), noisy(linear(), **choices)])
        for block in self.blocks:
            block.error_deviation.fill_(0.5)
            nn.init.normal_(block.b_tilde, generator=torch.Generator().manual_seed(3))
        self.head = nn.Linear(16, 16)
        self.dropout = nn.Dropout(0.2)
        self.options: dict[str, Any] | None = None

    def forward(self, x: Tensor) -> Tensor:
        first, last = self.blocks
        x = self.run(lambda x: self.dropout(first(x).relu()), x)
        x = F.adaptive_avg_pool1d(x.flatten(2).mean(2), 16)
        return self.run(lambda x: self.head(x) + self.run(last, x).sum(1, keepdim=True), x)

    def run(self, block: Any, x: Tensor) -> Tensor:
        if self.options is None:
            return block(x)  # type: ignore[no-any-return]
        return checkpoint(block, x, **self.options)  # type: ignore[no-any-return]


def gradients(network: Recomputed, x: Tensor, passes: int) -> tuple[float, list[Tensor]]:
    """Of the loss summed over several passes, all of them before the way back."""
    network.zero_grad()
    x = x.clone().requires_grad_()
    with seeded(1):
        loss = torch.stack([network(x).square().sum() for _ in range(passes)]).sum()
        loss.backward()
    assert x.grad is not None
    return loss.item(), [x.grad, *(p.grad for p in network.parameters() if p.grad is not None)]


@pytest.mark.parametrize("passes", [1, 3])
@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("choices", RANDOMISED, ids=str)
def test_recomputation_on_the_way_back_draws_the_same_again(
    choices: dict[str, Any], reentrant: bool, passes: int
) -> None:
    network = Recomputed(choices).double()
    draws = torch.Generator().manual_seed(0)
    x = torch.rand(12, 8, 6, 6, generator=draws, dtype=torch.float64)
    loss, expected = gradients(network, x, passes)
    network.options = {"use_reentrant": reentrant}
    again, found = gradients(network, x, passes)
    assert again == loss
    assert len(found) == len(expected) > 5
    for gradient, other in zip(found, expected, strict=True):
        torch.testing.assert_close(gradient, other, rtol=1e-9, atol=1e-9)


def test_draws_within_do_not_depend_on_what_was_drawn_and_leave_no_trace() -> None:
    torch.manual_seed(5)
    expected_after = torch.rand(4)
    with seeded(3, "a"):
        expected = torch.rand(4)
    torch.manual_seed(5)
    with pytest.raises(ZeroDivisionError), seeded(3, "a"):
        _ = torch.rand(4)[0] / 0 + 1 // 0
    assert torch.equal(torch.rand(4), expected_after)
    with seeded(3, "b"):
        assert not torch.equal(torch.rand(4), expected)
