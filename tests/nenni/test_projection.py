import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nenni.layers import NoisyConv2d
from nenni.projection.sparse import Sparse
from nenni.projection.tap_shared import TapShared
from nenni.selection.topk import TopK
from nenni.spec import InjectionSpec


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("projection", [Sparse(0.5), TapShared(0.5)])
def test_entries_are_ternary_with_the_right_shares(projection: Sparse | TapShared) -> None:
    k, d = 200, 300
    p = projection.sample(k, d, draws())
    codes = p / math.sqrt(3 / k)
    assert p.shape == (k, d)
    assert set(codes.round(decimals=5).unique().tolist()) == {-1, 0, 1}
    for code, share in ((-1, 1 / 6), (0, 2 / 3), (1, 1 / 6)):
        found = (codes.round() == code).float().mean()
        assert found == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / (k * d)))


def test_squared_norm_is_unbiased_with_the_stated_variance() -> None:
    """Var |Px|^2 = 2 |x|^4 / k for entries with fourth moment 3 (Achlioptas 2003, section 5)."""
    k, d, n = 32, 100, 4000
    x = torch.randn(d, generator=draws(1), dtype=torch.float64)
    norms = torch.stack(
        [(Sparse(0.32).sample(k, d, draws(i)).double() @ x).square().sum() for i in range(n)]
    )
    squared = x.square().sum()
    assert norms.mean() / squared == pytest.approx(1, abs=4 * math.sqrt(2 / k / n))
    assert norms.var() / squared**2 == pytest.approx(2 / k, rel=0.15)


@pytest.mark.parametrize(("ratio", "d", "k"), [(0.125, 72, 9), (0.125, 4, 1), (1.0, 5, 5)])
def test_rows(ratio: float, d: int, k: int) -> None:
    assert Sparse(ratio).rows(d) == k


@pytest.mark.parametrize(("stride", "dilation", "padding"), [(1, 1, 1), (2, 1, 0), (1, 2, (2, 1))])
def test_tap_shared_equals_its_expanded_matrix(
    stride: int, dilation: int, padding: int | tuple[int, int]
) -> None:
    conv = nn.Conv2d(16, 8, 3, stride, padding, dilation).double()
    spec = InjectionSpec(TopK(0.5), TapShared(0.25), 32, 32, 32)
    layer = NoisyConv2d(conv, spec, draws())
    nn.init.normal_(layer.W_tilde)
    x = torch.randn(3, 16, 9, 9, dtype=torch.float64)
    columns = F.unfold(x, 3, dilation, padding, stride)  # (N, 16 * 9, M)
    expanded = torch.kron(
        layer.P[0, :, :, 0, 0], torch.eye(9, dtype=torch.float64)
    )  # (4 * 9, 16 * 9)
    z = layer.W_tilde[0].flatten(1) @ (expanded @ columns)
    expected = z.view_as(conv(x)) + layer.b_tilde[0].view(1, -1, 1, 1)
    torch.testing.assert_close(layer.approximate(x), expected)
