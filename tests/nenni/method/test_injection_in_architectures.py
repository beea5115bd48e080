"""Injection into the blocks of well-known networks, and into the whole networks (`make test-slow`)."""

import copy
from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
import torchvision.models as tv
from torch import Tensor, nn
from torchvision.models.efficientnet import MBConv, MBConvConfig
from torchvision.models.mobilenetv3 import InvertedResidual, InvertedResidualConfig
from torchvision.models.resnet import Bottleneck
from torchvision.models.vgg import make_layers
from torchvision.models.vision_transformer import EncoderBlock

from nenni.method.fit import fit
from nenni.method.injection import inject, noisy_layers, remove, set_path
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.projection.tap_shared import TapShared
from nenni.method.report import report
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec
from nenni.networks.attention import ExplicitAttention
from nenni.networks.models.resnet18 import resnet18
from nenni.networks.models.resnet_cifar import resnet_cifar
from nenni.networks.models.wide_resnet import WideBlock, wide_resnet
from nenni.networks.residual import BasicBlock

SPEC = InjectionSpec(TopK(0.5), TapShared(1 / 8))


def between(channels: int, block: nn.Module, out_channels: int) -> nn.Module:
    """A block between a first convolution and a last linear layer."""
    first = nn.Conv2d(3, channels, 3, padding=1)
    last = nn.Linear(out_channels, 10)
    return nn.Sequential(first, block, nn.AdaptiveAvgPool2d(1), nn.Flatten(), last)


class Tokens(nn.Module):
    """A block of a vision transformer between patches and classes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.block = EncoderBlock(4, width, 2 * width, 0.0, 0.0)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.head(self.block(self.patches(x).flatten(2).transpose(1, 2)).mean(1))
        return z


def bottleneck() -> nn.Module:
    down = nn.Sequential(nn.Conv2d(64, 256, 1, bias=False), nn.BatchNorm2d(256))
    return Bottleneck(64, 64, downsample=down)


def mbconv() -> nn.Module:
    return MBConv(MBConvConfig(6, 3, 1, 64, 64, 1), 0.2, nn.BatchNorm2d)


def inverted_residual() -> nn.Module:
    config = InvertedResidualConfig(64, 3, 256, 64, True, "HS", 1, 1, 1.0)
    return InvertedResidual(config, partial(nn.BatchNorm2d, eps=0.001, momentum=0.01))


def vgg() -> nn.Module:
    return nn.Sequential(
        make_layers([64, "M", 64, 96, "M"], batch_norm=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(96, 80), nn.ReLU(), nn.Dropout(), nn.Linear(80, 10),
    )  # fmt: skip


# layers that are wrapped and those that own a batch norm, as counted by hand
BLOCKS: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
    "resnet basic": (lambda: between(16, BasicBlock(16, 16, 1, nn.Identity()), 16), 2, 2),
    "wide resnet": (lambda: between(64, WideBlock(64, 96, 2), 96), 3, 1),
    "resnet bottleneck": (lambda: between(64, bottleneck(), 256), 4, 4),
    # expansion, squeeze, projection (depthwise; excitation with 16 inputs)
    "efficientnet": (lambda: between(64, mbconv(), 64), 3, 2),
    # expansion, squeeze, excitation, projection (depthwise)
    "mobilenet v3": (lambda: between(64, inverted_residual(), 64), 4, 2),
    # two convolutions, one linear layer
    "vgg": (vgg, 3, 2),
    # query, key, value, out, two of the perceptron
    "vit": (lambda: Tokens(64), 6, 0),
}


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def outputs(model: nn.Module, x: Tensor) -> Tensor:
    """Without gradients, with the same dropout and stochastic depth each time."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(1)
        output: Tensor = model(x)
    return output


def settle(model: nn.Module, x: Tensor) -> None:
    """Let batch norms know the statistics of these images, for activations of a sane size."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None
    outputs(model.train(), x)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def check(model: nn.Module, x: Tensor, wrapped: int, tolerance: float = 0.0) -> None:
    """All that should hold of a network with random weights, on a few images."""
    settle(model, x)
    noisy = inject(model.train(), SPEC, x[:1])
    assert all(module.training for module in noisy.modules())
    layers = dict(noisy_layers(noisy))
    assert len(layers) == wrapped
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            assert name not in layers
            assert type(noisy.get_submodule(name)) is type(module)
    check_exactness(model.eval(), noisy.eval(), x, tolerance)
    fit(noisy, x, batch_norms="kept")
    errors = report(noisy, x).set_index("layer")["relative_error"]
    assert len(errors) == wrapped
    assert errors.notna().all()
    assert errors.median() < 1
    exact, injected = outputs(model, x), outputs(noisy, x)
    assert injected.isfinite().all()
    assert not torch.equal(injected, exact)
    check_copies(noisy, x, exact, injected)
    check_exactness(model.train(), noisy.train(), x, tolerance)
    check_gradients(noisy, x)


def check_exactness(model: nn.Module, noisy: nn.Module, x: Tensor, tolerance: float) -> None:
    """The exact path and removal are the original bit by bit, with what its batch norms learn."""
    plain = remove(noisy)
    assert not any(isinstance(m, NoisyLayer | ExplicitAttention) for m in plain.modules())
    state, expected_state = plain.state_dict(), model.state_dict()
    assert list(state) == list(expected_state)
    assert all(torch.equal(expected_state[name], tensor) for name, tensor in state.items())
    expected = outputs(model, x)
    assert torch.equal(outputs(plain, x), expected)
    assert all(torch.equal(expected_state[name], tensor) for name, tensor in state.items())
    set_path(noisy, "exact")
    torch.testing.assert_close(outputs(noisy, x), expected, rtol=0, atol=tolerance)
    set_path(noisy, "injected")
    buffers = dict(noisy.named_buffers())
    for name, tensor in model.named_buffers():
        torch.testing.assert_close(buffers[name], tensor, rtol=0, atol=tolerance)


def check_copies(noisy: nn.Module, x: Tensor, exact: Tensor, injected: Tensor) -> None:
    """A copy is equal and apart; with channels last it is equal on the exact path."""
    twin = copy.deepcopy(noisy)
    assert torch.equal(outputs(twin, x), injected)
    twin = twin.to(memory_format=torch.channels_last)
    last = x.contiguous(memory_format=torch.channels_last)
    assert outputs(twin, last).isfinite().all()
    set_path(twin, "exact")
    scale = float(exact.abs().max())
    torch.testing.assert_close(outputs(twin, last), exact, rtol=0, atol=1e-4 * scale)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert torch.equal(outputs(noisy, x), injected)


def check_gradients(noisy: nn.Module, x: Tensor) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        F.cross_entropy(noisy(x), torch.arange(len(x))).backward()
    for name, parameter in noisy.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    # a squeezed map is one number per channel: with two images batch norm or relu may leave nothing
    reached = [bool(layer.W_tilde.grad.count_nonzero()) for _, layer in noisy_layers(noisy)]  # type: ignore[union-attr]
    assert sum(reached) >= 0.9 * len(reached)


def images(n: int, size: int) -> Tensor:
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", BLOCKS)
def test_block(name: str) -> None:
    make, wrapped, owning = BLOCKS[name]
    model, x = seeded(make), images(4, 16)
    check(model, x, wrapped, tolerance=1e-5 if name == "vit" else 0.0)
    owners = [layer for _, layer in noisy_layers(inject(model, SPEC, x)) if layer.batch_norm]
    assert len(owners) == owning


@pytest.mark.parametrize("name", BLOCKS)
def test_block_is_approximated_well_with_enough_images(name: str) -> None:
    make = BLOCKS[name][0]
    model = seeded(make)
    x = images(48, 12)
    settle(model, x)
    noisy = inject(model.eval(), InjectionSpec(TopK(0.5), TapShared(0.5)), x[:1])
    fit(noisy, x, batch_norms="kept")
    found = report(noisy, x, inputs="exact")
    assert found["relative_error"].max() < 1
    assert found["relative_error"].median() < 0.75
    assert (found["recall"] > 0.6).all()


def vit_b_16() -> nn.Module:
    model = tv.vit_b_16(num_classes=10)
    nn.init.normal_(model.heads.head.weight, std=0.05)  # torchvision's are zeros
    return model


# the convolutions and linear layers, less the first, the last, grouped ones and those with d < 64
NETWORKS: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
    # 19 convolutions and 1 linear layer
    "resnet_cifar 20": (lambda: resnet_cifar((3, 32, 32), 10, depth=20), 32, 18),
    # 17 convolutions, 3 shortcuts and 1 linear layer
    "resnet18": (lambda: resnet18((3, 16, 16), 10), 16, 19),
    # 31 convolutions, 3 shortcuts, of which one has d = 16, and 1 linear layer
    "wide_resnet 34-10": (lambda: wide_resnet((3, 8, 8), 10), 8, 32),
    # 49 convolutions, 4 shortcuts and 1 linear layer
    "resnet50": (lambda: tv.resnet50(num_classes=10), 64, 52),
    # 10 expansions, 15 squeezes, 15 projections and the convolution before the head
    "efficientnet_b0": (lambda: tv.efficientnet_b0(num_classes=10), 64, 41),
    # 8 expansions, 14 projections, 8 squeezes, 5 excitations, one convolution, one linear layer
    "mobilenet_v3_large": (lambda: tv.mobilenet_v3_large(num_classes=10), 64, 37),
    # 13 convolutions and 3 linear layers
    "vgg16_bn": (lambda: tv.vgg16_bn(num_classes=10), 32, 14),
    # 12 blocks of 6
    "vit_b_16": (vit_b_16, 224, 72),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_network(name: str) -> None:
    make, size, wrapped = NETWORKS[name]
    check(seeded(make), images(2, size), wrapped, tolerance=1e-5 if name == "vit_b_16" else 0.0)
