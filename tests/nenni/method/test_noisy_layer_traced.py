"""The injected network asks no tensor for its values: a GPU need not wait, and one graph holds it."""

import copy
from collections.abc import Iterator

import pytest
import torch
from noisy_cases import CASES, IMAGES, network, values_and_gradients

from nenni.method.noisy_layer import LayerPath
from nenni.networks.compiled import what_lacks

QUICK = [("topk", "injected"), ("Resample", "soft"), ("exact path rounded", "injected")]
GRAPHS = [pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow) for case in CASES]


@pytest.fixture(autouse=True)
def compiled_anew() -> Iterator[None]:
    yield
    torch._dynamo.reset()


@pytest.mark.long
@pytest.mark.parametrize(("name", "path"), GRAPHS)
def test_one_graph_gives_the_same(name: str, path: LayerPath) -> None:
    noisy = network(name, path)
    compiled = torch.compile(noisy, fullgraph=True, backend="aot_eager", dynamic=False)
    eager = values_and_gradients(noisy, noisy)
    assert len(eager) > 2
    torch.testing.assert_close(values_and_gradients(compiled, noisy), eager)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "path"),
    [(name, "injected") for name in ("topk", "2:4", "block", "threshold")] + [("topk", "soft")],
)
def test_the_compiler_gives_the_same(name: str, path: LayerPath) -> None:
    """Fine codes leave no ties, which an order of additions would decide."""
    if lacks := what_lacks("cpu"):
        pytest.skip(lacks)
    noisy = network(name, path, fine=True)
    compiled = torch.compile(noisy, fullgraph=True, dynamic=False)
    eager = values_and_gradients(noisy, noisy)
    assert bool(eager[1].any())  # the gradient of the images
    torch.testing.assert_close(values_and_gradients(compiled, noisy), eager)


@pytest.mark.parametrize(("name", "path"), CASES)
def test_no_value_is_asked_for(name: str, path: LayerPath) -> None:
    noisy = copy.deepcopy(network(name, path)).to("meta")
    images = IMAGES.to("meta").requires_grad_()
    logits = noisy(images)
    torch.autograd.grad(logits.sum(), [images, *noisy.parameters()], allow_unused=True)
    assert logits.shape == (4, 10)
