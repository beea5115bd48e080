"""Dense variants answer as the network does."""

import pytest
import torch
from torch import Tensor, nn

from nenni.cost.dense_variants import PackedConv2d, PackedLinear, packed, quantised
from nenni.networks.models.resnet18 import resnet18


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = resnet18((3, 32, 32), 10, width=8)
        with torch.no_grad():
            model.train()(torch.rand(20, 3, 32, 32))  # statistics of its own
    return model.eval()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.1)])
@pytest.mark.parametrize("batch", [1, 5])
@torch.no_grad()
def test_packed_networks_answer_alike(
    resnet: nn.Module, dtype: torch.dtype, tolerance: float, batch: int
) -> None:
    x = torch.rand(batch, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    quick, expected = packed(resnet, x, dtype), resnet(x)
    assert sum(isinstance(m, PackedConv2d) for m in quick.modules()) == 20
    assert sum(isinstance(m, PackedLinear) for m in quick.modules()) == 1
    assert not any(isinstance(m, nn.BatchNorm2d) for m in quick.modules())
    found = quick(x.to(dtype)).float()
    assert (found - expected).abs().max() < tolerance * expected.abs().max()


@torch.no_grad()
def test_linear_layers_of_tokens_are_packed() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(2), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 3, bias=False))
    x = torch.rand(4, 3, 8, 8)
    quick = packed(model, x, torch.float32)
    assert [type(layer) for layer in quick.children()].count(PackedLinear) == 2
    torch.testing.assert_close(quick(x), model(x))


@torch.no_grad()
def test_int8_networks_answer_alike(trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    x, _ = digits
    found = quantised(trained, x[:200])(x[200:400]).argmax(1)
    assert (found == trained(x[200:400]).argmax(1)).double().mean() > 0.95
    assert trained(x[:1]).dtype == torch.float32
