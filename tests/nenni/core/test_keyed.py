"""Random numbers from a hash of what an image shows."""

import pytest
import torch
from attack_cases import draws
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nenni.core.keyed import Keyed, content


def streams(images: Tensor, seed: int = 0) -> Keyed:
    return Keyed.by_content(images, draws(seed))


@given(
    seed=st.integers(0, 1000),
    dtype=st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]),
    order=st.permutations(range(4)),
)
def test_an_image_has_the_same_numbers_in_any_batch(
    seed: int, dtype: torch.dtype, order: list[int]
) -> None:
    images = torch.rand(4, 2, 3, 3, generator=draws(seed)).to(dtype)
    whole = streams(images, seed).at(3).uniform(5)
    assert whole.dtype == dtype
    assert torch.equal(streams(images[order], seed).at(3).uniform(5), whole[order])
    assert torch.equal(streams(images[1:2], seed).at(3).uniform(5), whole[1:2])
    assert torch.equal(streams(images, seed).of(torch.tensor([2])).at(3).uniform(5), whole[2:3])


def test_other_images_seeds_and_places_have_others() -> None:
    images = torch.rand(3, 8, generator=draws())
    changed = images.clone()
    changed[0, 3] += 1e-6
    swapped = images.flip(1)
    drawn = [
        streams(images).uniform(50),
        streams(changed).uniform(50)[:1],
        streams(swapped).uniform(50),
        streams(images, 1).uniform(50),
        streams(images).at(0).uniform(50),
        streams(images).at(1).uniform(50),
        streams(images).at(0).at(1).uniform(50),
    ]
    rows = torch.cat(drawn)
    apart = (rows[:, None] - rows).abs().amax(2) + torch.eye(len(rows))
    assert (apart > 0.1).all()
    assert (content(images) != content(swapped)).all()


def test_they_are_distributed_as_they_should_be() -> None:
    found = streams(torch.rand(20, 4, generator=draws()))
    uniform, normal = found.at(0).uniform(5000), found.at(1).normal(5000)
    assert 0 <= uniform.min() < 1e-3
    assert 1 - 1e-3 < uniform.max() <= 1
    assert uniform.mean() == pytest.approx(0.5, abs=0.005)
    assert uniform.var() == pytest.approx(1 / 12, rel=0.02)
    assert normal.isfinite().all()
    assert normal.mean() == pytest.approx(0, abs=0.01)
    assert normal.var() == pytest.approx(1, rel=0.02)
    assert (normal**4).mean() == pytest.approx(3, rel=0.05)
    counts = found.at(2).integers(7, 5000).flatten().bincount()
    assert (counts / counts.sum() - 1 / 7).abs().max() < 0.005
    assert set(found.at(3).signs(50).unique().tolist()) == {-1.0, 1.0}
    correlated = torch.corrcoef(torch.cat([uniform, found.at(4).uniform(5000)])) - torch.eye(40)
    assert correlated.abs().max() < 0.08
    shifted = torch.stack([uniform.flatten()[:-1], uniform.flatten()[1:]])
    assert torch.corrcoef(shifted)[0, 1].abs() < 0.02


def test_the_numbers_of_many_steps_at_once_are_those_of_each() -> None:
    found = streams(torch.rand(3, 4, generator=draws()))
    ahead, stops = found.each(range(2, 6)).at(1), torch.tensor([2, 3, 9, 9])
    for k, stop in enumerate(stops.tolist()):
        single = found.at(2 + k).at(1)
        assert torch.equal(ahead.signs(2, 1)[:, k], single.signs(2, 1))
        assert torch.equal(ahead.integers(stops)[:, k], single.integers(stop))
