"""Points drawn in a ball and projected to it."""

import pytest
import torch
from attack_cases import draws
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nenni.adversary.ball import Ball
from nenni.core.keyed import Keyed


def streams(images: Tensor, seed: int = 0) -> Keyed:
    return Keyed.by_content(images, draws(seed))


@given(
    eps=st.floats(0, 2),
    seed=st.integers(0, 1000),
    dtype=st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]),
    shape=st.sampled_from([(2, 1, 1, 1), (1, 3, 8, 8), (3, 7), (0, 2, 2, 2)]),
)
def test_projections_end_in_the_l2_ball(
    eps: float, seed: int, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    x = torch.rand(shape, generator=draws(seed)).to(dtype)
    away = x + 3 * torch.randn(shape, generator=draws(seed)).to(dtype)
    ball = Ball(x, eps, "l2")
    for point in (ball.project(away), ball.uniform(streams(x, seed))):
        moved = (point.double() - x.double()).flatten(1).norm(dim=1)
        assert (moved <= eps * (1 + 1e-6)).all()
        assert ((point >= 0) & (point <= 1)).all()


def test_start_is_uniform_in_the_ball() -> None:
    dark = torch.full((1, 20_000), 0.05)
    linf = Ball(dark, 0.2, "linf").uniform(streams(dark))
    assert linf.min() >= 0
    assert linf.max() <= 0.25
    assert linf.mean() == pytest.approx(0.125, abs=0.003)
    assert linf.var() == pytest.approx(0.25**2 / 12, rel=0.05)
    centre = torch.full((20_000, 3), 0.5)
    generator = torch.Generator().manual_seed(0)
    keys = torch.randint(2**62, (20_000,), generator=generator)
    drawn = Ball(centre, 0.4, "l2").uniform(Keyed(keys, torch.float32))
    radii = (drawn - centre).norm(dim=1) / 0.4
    assert (radii**3).mean() == pytest.approx(0.5, abs=0.01)
    assert (radii**3).var() == pytest.approx(1 / 12, rel=0.05)
