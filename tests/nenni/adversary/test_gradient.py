import pytest
import torch
from attack_cases import draws
from torch import Tensor, nn

from nenni.adversary.gradient import mean_ascent
from nenni.adversary.judge import watched
from nenni.core.keyed import Keyed


def test_averaged_gradients_are_the_mean_over_copies() -> None:
    """For L = sum(x^4) the smoothed gradient is 4 x^3 + 12 sigma^2 x."""

    class Fourth(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x**4).sum(1, keepdim=True).expand(-1, 2)

    x = torch.full((1, 2000), 0.5, dtype=torch.float64)
    model = watched(Fourth(), x, torch.zeros(1, dtype=torch.int64), 1.0, "linf")
    streams = Keyed.by_content(x, draws())
    gradient = mean_ascent(model, x, lambda z: z[:, 0], 200, 0.3, streams).gradient
    assert gradient.mean() == pytest.approx(4 * 0.5**3 + 12 * 0.3**2 * 0.5, rel=0.01)
    exact = mean_ascent(model, x, lambda z: z[:, 0], 2, 0.0, streams).gradient
    torch.testing.assert_close(exact, 4 * x**3)
