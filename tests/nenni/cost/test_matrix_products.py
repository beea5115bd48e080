"""Multiply-accumulates of whole networks agree with fvcore and torch's counter; odd operators."""

import json
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import hwmodel
from hwmodel.op_count import dense_macs
from nenni.core.errors import UserError
from nenni.cost.describe import describe
from nenni.cost.matrix_products import products
from nenni.networks.architecture import Architecture
from nenni.networks.build import build

LARGE = pytest.mark.slow


def layers(model: nn.Module, shape: tuple[int, ...]) -> tuple[hwmodel.Layer, ...]:
    described = describe(model, torch.zeros(1, *shape), name="test")
    return hwmodel.Network.model_validate_json(json.dumps(described)).layers


@pytest.mark.parametrize(
    ("name", "shape", "total"),
    [
        ("small_cnn", (1, 28, 28), 1_020_480),
        ("resnet18", (3, 32, 32), 555_422_720),
        ("torchvision:efficientnet_b0", (3, 64, 64), None),
        ("torchvision:mobilenet_v3_large", (3, 64, 64), None),
        pytest.param("torchvision:efficientnet_b0", (3, 224, 224), None, marks=LARGE),
        pytest.param("torchvision:mobilenet_v3_large", (3, 224, 224), None, marks=LARGE),
        pytest.param("torchvision:resnet50", (3, 224, 224), None, marks=LARGE),
    ],
)
def test_convolutions_and_linear_layers(
    name: str, shape: tuple[int, ...], total: int | None
) -> None:
    model = build(Architecture.read(Architecture({"name": name}, shape, 10), "test"))
    x = torch.zeros(1, *shape)
    counted = FlopCountAnalysis(model, x).unsupported_ops_warnings(False)
    by_module = counted.uncalled_modules_warnings(False).by_module_and_operator()
    macs = {layer.name: dense_macs(layer) for layer in layers(model, shape)}
    for layer, found in macs.items():
        assert sum(by_module[layer].values()) == found, layer
    assert sum(macs.values()) == sum(counted.by_operator()[kind] for kind in ("conv", "linear"))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x)
    assert counter.get_total_flops() == 2 * sum(macs.values())
    assert total in (None, sum(macs.values()))


@pytest.mark.slow
def test_attention_of_vit_by_hand() -> None:
    """Twelve blocks, 197 tokens of 768 numbers: queries with keys, weights with values."""
    made = Architecture({"name": "torchvision:vit_b_16"}, (3, 224, 224), 10)
    model = build(Architecture.read(made, "test"))
    found = layers(model, (3, 224, 224))
    products = [layer for layer in found if layer.kind == "matmul"]
    assert len(products) == 24
    assert sum(dense_macs(layer) for layer in products) == 12 * 2 * 197 * 197 * 768
    counted = FlopCountAnalysis(model, torch.zeros(1, 3, 224, 224)).by_operator()
    others = sum(dense_macs(layer) for layer in found if layer.kind != "matmul")
    assert others == counted["conv"] + counted["linear"]


class Attention(nn.Module):
    """Written out, and by torch's function, as models of others have it."""

    def __init__(self, fused: bool) -> None:
        super().__init__()
        self.fused, self.qkv = fused, nn.Linear(8, 24)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        if self.fused:
            return F.scaled_dot_product_attention(q, k, v)
        return (q @ k.transpose(-2, -1)).softmax(-1) @ v


@pytest.mark.parametrize("fused", [False, True])
def test_products_of_activations(fused: bool) -> None:
    """2 heads of 4 numbers and 5 tokens."""
    model = nn.Sequential(nn.Flatten(1, 2), Attention(fused)).eval()
    linear, logits, heads = layers(model, (1, 5, 8))
    assert (linear.name, linear.kind, dense_macs(linear)) == ("1.qkv", "linear", 5 * 8 * 24)
    assert (logits.name, logits.kind, heads.name) == ("1.matmul", "matmul", "1.matmul#2")
    assert (logits.M, logits.d, logits.n, logits.groups) == (5, 4, 10, 2)
    assert (heads.M, heads.d, heads.n, heads.groups) == (5, 5, 8, 2)


class Functional(nn.Module):
    """A convolution over sequences as a module, and products with parameters of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.along = nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2)
        self.kernel = nn.Parameter(torch.ones(5, 6, 1, 3))
        self.weight = nn.Parameter(torch.ones(7, 5))

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(self.along(x.flatten(1, 2))[:, :, None], self.kernel)
        return F.linear(x.mean((2, 3)), self.weight)


def test_operators_that_no_layer_calls() -> None:
    along, conv, linear = layers(Functional().eval(), (1, 4, 12))
    assert (along.name, along.in_size, along.out_size) == ("along.conv", (1, 12), (1, 5))
    assert (along.kernel_size, along.stride, along.padding) == ((1, 3), (1, 2), (0, 1))
    assert (along.dilation, along.groups, along.d) == ((1, 2), 2, 6)
    assert (conv.name, conv.in_size, dense_macs(conv)) == ("conv", (1, 5), 3 * 5 * 18)
    assert (linear.name, linear.kind, dense_macs(linear)) == ("linear", "linear", 5 * 7)


class Frames(nn.Module):
    """Tokens before samples, a convolution per frame, and a matrix times a vector."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.linear = nn.Conv2d(1, 2, 3), nn.Linear(4, 6)
        self.weight = nn.Parameter(torch.ones(5, 6))

    def forward(self, x: Tensor) -> Tensor:
        frames = self.conv(x.flatten(0, 1)[:, None])
        tokens = self.linear(frames.flatten(2).mean(1)[:, None])
        return (self.weight @ tokens.mean((0, 1)))[None]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
@pytest.mark.parametrize("choices", [{}, {"num_layers": 2, "bias": False}, {"bidirectional": True}])
def test_recurrent_layers_by_hand(kind: Any, gates: int, choices: dict[str, Any]) -> None:
    """At each of 9 steps each gate multiplies the input and the state before."""

    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = kind(7, 16, batch_first=True, **choices)

        def forward(self, x: Tensor) -> Tensor:
            return self.rows(x[:, 0])[0][:, -1]  # type: ignore[no-any-return]

    first, directions = 9 * gates * 16 * (7 + 16), 1 + choices.get("bidirectional", False)
    later = 9 * gates * 16 * (16 + 16) * (choices.get("num_layers", 1) - 1)
    assert torch.backends.mkldnn.enabled
    found = layers(Rows().eval(), (1, 9, 7))
    assert sum(dense_macs(layer) for layer in found) == directions * first + later
    assert torch.backends.mkldnn.enabled


def test_samples_need_not_come_first() -> None:
    *frames, linear, vector = layers(Frames().eval(), (3, 4, 4))
    assert [layer.name for layer in frames] == ["conv", "conv#2", "conv#3"]
    assert (linear.M, linear.d, linear.n) == (3, 4, 6)
    assert (vector.kind, vector.M, vector.d, vector.n) == ("linear", 1, 6, 5)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.ConvTranspose2d(1, 2, 3), (1, 1, 5, 5), "its transposed convolution has no place"),
        (nn.Conv3d(1, 2, 3), (1, 1, 5, 5, 5), "its three-dimensional convolution has no place"),
        (nn.Conv2d(1, 2, 2, padding="same"), (1, 1, 5, 5), "layer 0: its padding 'same' differs"),
    ],
)
def test_what_has_no_place_is_named(layer: nn.Module, shape: tuple[int, ...], message: str) -> None:
    model = nn.Sequential(layer)
    found: dict[str, Any] = {n: m for n, m in model.named_modules() if isinstance(m, nn.Conv2d)}
    with pytest.raises(UserError, match=message):
        products(model, found, torch.zeros(shape))
    assert not layer._forward_hooks
