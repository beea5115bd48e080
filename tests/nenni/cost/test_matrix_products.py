"""Multiply-accumulates of whole networks agree with fvcore and torch's counter; odd operators."""

import json
from collections.abc import Callable
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
    assert (along.kernel_size, along.stride) == ((1, 3), (1, 2))
    assert along.padding == ((0, 0), (1, 1))
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


def counted(model: nn.Module, x: Tensor) -> list[tuple[str, int, int, int, int]]:
    """Kind, M, n, d and groups of each product, as the cost model reads them."""
    described = describe(model.eval(), x, name="test")
    found = hwmodel.Network.model_validate_json(json.dumps(described)).layers
    return [(layer.kind, layer.M, layer.n, layer.d, layer.groups) for layer in found]


IMAGE = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
VOLUME = IMAGE[:, :, None].expand(1, 3, 4, 8, 8)


class Own(nn.Module):
    """A forward pass with parameters or modules."""

    def __init__(self, run: Callable[[Any, Tensor], Tensor], **parts: Any) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part if isinstance(part, nn.Module) else nn.Parameter(part))

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


@pytest.mark.parametrize(
    ("layer", "x", "expected"),
    [
        (nn.ConvTranspose2d(3, 6, 3, stride=2, output_padding=1, groups=3), IMAGE,
         ("conv_transpose2d", 64, 54, 1, 3)),
        (nn.ConvTranspose1d(3, 5, 4), IMAGE[0], ("conv_transpose2d", 8, 20, 3, 1)),
        (nn.ConvTranspose3d(3, 2, (1, 2, 3)), VOLUME, ("conv_transpose3d", 256, 12, 3, 1)),
        (nn.Conv3d(3, 6, 3, padding=(1, 0, 2), groups=3), VOLUME, ("conv3d", 4 * 6 * 10, 6, 27, 3)),
        (nn.Conv2d(3, 5, 2, padding="same"), IMAGE, ("conv2d", 64, 5, 12, 1)),
        (nn.Conv2d(3, 5, 4, padding="same", dilation=3), IMAGE, ("conv2d", 64, 5, 48, 1)),
        (nn.Conv1d(3, 5, 4, padding="same"), IMAGE[0], ("conv2d", 8, 5, 12, 1)),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_convolutions_of_every_kind(layer: nn.Module, x: Tensor, expected: Any) -> None:
    """Multiply-accumulates as torch's own counter has them."""
    x = x if x.dim() > 3 else x[:1].expand(3, -1, -1)[None, :, 0]
    assert counted(nn.Sequential(layer), x) == [expected]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        layer(x)
    _, M, n, d, _ = expected
    assert counter.get_total_flops() == 2 * M * n * d


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Own(lambda s, x: s.b(x[:, 0], x[:, 1]), b=nn.Bilinear(8, 8, 10)),
         [("linear", 8, 10, 64, 1)]),
        (Own(lambda s, x: F.conv2d(x.transpose(0, 1), s.k), k=torch.ones(4, 1, 3, 3)),
         [("conv2d", 36, 4, 9, 1)] * 3),
        (Own(lambda s, x: torch.einsum("bcd,cdn->bcn", x[:, :, 0], s.w), w=torch.ones(3, 8, 7)),
         [("conv2d", 1, 21, 8, 3)]),
        (Own(lambda s, x: s.w @ x[0, 0], w=torch.ones(5, 8)), [("linear", 8, 5, 8, 1)]),
        (Own(lambda s, x: x[0, 0] @ s.w, w=torch.ones(8)), [("linear", 8, 1, 8, 1)]),
        (Own(lambda s, x: F.linear(x[:, 0], (s.w - s.w.mean()) / s.w.std()), w=torch.eye(8)),
         [("linear", 8, 8, 8, 1)]),
        (Own(lambda s, x: F.linear(x[:, 0], s.w + s.b @ s.a), w=torch.eye(8), a=torch.ones(2, 8),
             b=torch.ones(8, 2)), [("linear", 8, 8, 2, 1), ("linear", 8, 8, 8, 1)]),
        (Own(lambda s, x: s.r(x[:, 0])[0], r=nn.LSTM(8, 6, proj_size=5, batch_first=True)),
         [("linear", 8, 24, 8, 1)] + 8 * [("linear", 1, 24, 5, 1), ("linear", 1, 5, 6, 1)]),
        (Own(lambda s, x: s.r(x[:, 0, 0]), r=nn.GRUCell(8, 6)),
         [("linear", 1, 18, 8, 1), ("linear", 1, 18, 6, 1)]),
        (nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))),
         [("conv2d", 36, 4, 27, 1)]),
    ],
)  # fmt: skip
def test_products_with_parameters(model: nn.Module, expected: Any) -> None:
    assert counted(model, IMAGE) == expected


class LowRank(nn.Linear):
    """A linear layer that adds another product."""

    def __init__(self) -> None:
        super().__init__(8, 4)
        self.down, self.up = nn.Linear(8, 2, bias=False), nn.Linear(2, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.up(self.down(x))


def test_a_layer_with_a_forward_pass_of_its_own_is_looked_into() -> None:
    found = counted(nn.Sequential(LowRank()), IMAGE[:, 0])
    assert found == [("linear", 8, 4, 8, 1), ("linear", 8, 2, 8, 1), ("linear", 8, 4, 2, 1)]


def test_tokens() -> None:
    """Looking them up multiplies nothing; the shape of the input is that of one text."""
    encoder = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    model = nn.Sequential(nn.Embedding(50, 16), encoder, nn.Linear(16, 4)).eval()
    described = describe(model, torch.zeros(2, 12, dtype=torch.int64), name="text")
    network = hwmodel.Network.model_validate_json(json.dumps(described))
    assert network.input_shape == (12,)
    assert network.uncounted == ()
    macs = 12 * (4 * 16 * 16 + 2 * 16 * 32 + 16 * 4) + 2 * 12 * 12 * 16
    assert sum(map(dense_macs, network.layers)) == macs
    bag = nn.Sequential(nn.EmbeddingBag(50, 16), nn.Linear(16, 4)).eval()
    assert describe(bag, torch.zeros(2, 12, dtype=torch.int64))["input_shape"] == [12]


@pytest.mark.parametrize(
    ("part", "operator"),
    [
        (Own(lambda s, x: torch.cdist(x[:, 0], s.w), w=torch.ones(8, 8)), "aten._cdist_forward"),
        (Own(lambda s, x: (x[:, 0, :, :, None] * s.w).sum(2), w=torch.ones(8, 8)), "aten.mul"),
        (Own(lambda s, x: (x[:, 0, :, None] - s.w).pow(2).sum(3), w=torch.ones(8, 8)), "aten.sub"),
        (Own(lambda s, x: torch.linalg.solve(s.w, x[:, 0]), w=torch.eye(8)), "aten._linalg_solve_ex"),
    ],
)  # fmt: skip
def test_what_reads_a_parameter_and_is_not_counted_is_named(part: nn.Module, operator: str) -> None:
    """An error unless it is asked for; then it stands in no other layer's way."""
    model = nn.Sequential(part, nn.Linear(8, 4)).eval()
    with pytest.raises(UserError, match=f"does not count: 0 \\({operator}\\); allow it"):
        describe(model, IMAGE)
    found = describe(model, IMAGE, allow_uncounted=True)
    assert found["uncounted"] == [{"name": "0", "operator": operator}]
    assert [layer["name"] for layer in found["layers"]] == ["1"]


def test_what_works_element_by_element_is_left_out() -> None:
    parts = (
        nn.Conv2d(3, 4, 3), nn.PReLU(4), nn.BatchNorm2d(4), nn.GroupNorm(2, 4),
        nn.InstanceNorm2d(4, affine=True), nn.Flatten(), nn.LayerNorm(144), nn.RMSNorm(144),
        Own(lambda s, x: x * s.gain + s.place, gain=torch.ones(144), place=torch.zeros(1, 144)),
        Own(lambda s, x: torch.cat([s.token.expand(1, -1), x], 1), token=torch.zeros(1)),
        nn.Linear(145, 4),
    )  # fmt: skip
    found = describe(nn.Sequential(*parts).eval(), IMAGE)
    assert [layer["name"] for layer in found["layers"]] == ["0", "10"]
    assert found["uncounted"] == []


def test_hooks_are_gone_after_a_failure() -> None:
    layer = nn.Linear(8, 4)
    with pytest.raises(UserError, match="does not accept images"):
        products(layer, {"": layer}, torch.zeros(1, 7))
    assert not layer._forward_hooks
