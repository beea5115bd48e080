"""Real digits and a small trained network, shared by the library's tests."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nenni.data.datasets.mnist5k import mnist5k
from nenni.method.injection import inject
from nenni.method.projection.sparse import Sparse
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec
from nenni.networks.models.small_cnn import small_cnn


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits() -> tuple[Tensor, Tensor]:
    """1,000 digits in random order: images in [0, 1] and labels."""
    train = mnist5k().train
    images, labels = train.pixels, train.labels
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(5))[:1000]
    return torch.from_numpy(images)[order].float() / 255, torch.from_numpy(labels)[order]


@pytest.fixture(scope="session")
def trained(digits: tuple[Tensor, Tensor]) -> nn.Module:
    """A small CNN trained for a few seconds on 800 digits; copy it before changing it."""
    images, labels = digits[0][:800], digits[1][:800]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = small_cnn((1, 28, 28), 10, channels=[8, 8, 16, 16], hidden=32)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    order = torch.Generator().manual_seed(0)
    for _ in range(12):
        for batch in torch.randperm(800, generator=order).split(50):
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model.eval()


@pytest.fixture
def make_spec() -> Callable[..., InjectionSpec]:
    """Spec with a few choices given and plain ones for the rest."""

    def make(**choices: object) -> InjectionSpec:
        defaults = {"selection": TopK(0.5), "projection": Sparse(0.25), "normalise": False}
        return InjectionSpec(**(defaults | choices))  # type: ignore[arg-type]

    return make


@pytest.fixture
def noisy(trained: nn.Module, make_spec: Callable[..., InjectionSpec]) -> nn.Module:
    """The trained network, injected and not fitted."""
    return inject(trained, make_spec(), torch.zeros(2, 1, 28, 28))
