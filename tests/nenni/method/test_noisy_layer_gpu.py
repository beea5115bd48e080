"""On a GPU the injected network never waits, and gives what it gives on a CPU."""

import copy
from collections.abc import Iterator

import pytest
import torch
from gpu import NEEDS_GPU
from noisy_cases import CASES, IMAGES, network, values_and_gradients

from nenni.method.noisy_layer import LayerPath
from nenni.method.ranking import top_k

pytestmark = NEEDS_GPU
DRAWN = ("random", "Resample", "GaussianNoise", "UniformNoise")
"""Devices draw otherwise."""


@pytest.fixture
def waiting_fails() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    yield
    torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(("name", "path"), CASES)
def test_a_pass_and_its_gradients_never_wait(
    name: str, path: LayerPath, request: pytest.FixtureRequest
) -> None:
    noisy = network(name, path).to("cuda")
    images = IMAGES.to("cuda").requires_grad_()
    values_and_gradients(noisy, noisy)  # kernels are loaded
    request.getfixturevalue("waiting_fails")
    logits = noisy(images)
    torch.autograd.grad(logits.sum(), [images, *noisy.parameters()], allow_unused=True)


@pytest.mark.parametrize(("name", "path"), [case for case in CASES if case[0] not in DRAWN])
def test_the_same_as_on_a_cpu(name: str, path: LayerPath) -> None:
    noisy = network(name, path, fine=True)
    moved = copy.deepcopy(noisy).to("cuda")
    found = [part.cpu() for part in values_and_gradients(moved, moved)]
    torch.testing.assert_close(found, values_and_gradients(noisy, noisy))


@pytest.mark.parametrize("n", [16, 784, 9000, 65_536])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_masks_of_a_ranking_are_those_of_a_cpu(n: int, fraction: float) -> None:
    rows = torch.randn(8, n, generator=torch.Generator().manual_seed(n))
    rows[0, :3] = torch.tensor([torch.inf, -torch.inf, torch.nan])
    distinct = rows.sort(1).values.diff(dim=1).ne(0).all(1)
    ours, theirs = top_k(rows, fraction), top_k(rows.cuda(), fraction).cpu()
    assert torch.equal(theirs.sum(1), ours.sum(1))
    assert torch.equal(theirs[distinct], ours[distinct])
