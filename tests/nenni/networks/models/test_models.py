"""Architectures: their sizes, what they compute, how they are drawn."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.resnet import BasicBlock, ResNet

from nenni.core import plugins, settings
from nenni.core.errors import UserError
from nenni.method.injection import inject, noisy_layers, remove
from nenni.method.spec import InjectionSpec
from nenni.networks.models.lenet5 import lenet5
from nenni.networks.models.preact_resnet18 import preact_resnet18
from nenni.networks.models.resnet18 import resnet18
from nenni.networks.models.resnet_cifar import resnet_cifar
from nenni.networks.models.small_cnn import small_cnn
from nenni.networks.models.wide_resnet import wide_resnet

CIFAR = (3, 32, 32)


MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


SMALL: list[tuple[Callable[..., nn.Sequential], dict[str, Any]]] = [
    (resnet_cifar, {"depth": 8}),
    (resnet_cifar, {"depth": 14}),
    (resnet18, {"width": 4}),
    (preact_resnet18, {"width": 4}),
    (wide_resnet, {"depth": 10, "widen": 1}),
    (wide_resnet, {"depth": 16, "widen": 2}),
]


small = pytest.mark.parametrize(("make", "size"), SMALL)


def seeded(
    make: Callable[..., nn.Sequential], shape: tuple[int, int, int], **choices: Any
) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make(shape, 10, **choices)


def images(n: int, *shape: int) -> Tensor:
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(1))


def with_statistics(model: nn.Module) -> nn.Module:
    """In eval mode, its batch norms and biases unlike their initial values."""
    draws = torch.Generator().manual_seed(2)
    for name, value in model.state_dict().items():
        if value.is_floating_point() and value.dim() == 1:
            low = -0.5 if name.endswith(("bias", "mean")) else 0.5
            value.copy_(low + torch.rand(value.shape, generator=draws))
    return model.eval()


@small
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 14), (3, 32, 32), (1, 28, 28)])
def test_any_input_size(
    make: Callable[..., nn.Sequential], size: dict[str, Any], shape: tuple[int, int, int]
) -> None:
    model = seeded(make, shape, **size)
    assert model(images(3, *shape)).shape == (3, 10)
    assert model.eval()(images(1, *shape)).shape == (1, 10)


@pytest.mark.parametrize(
    ("make", "choices", "expected"),
    [
        (resnet_cifar, {}, 269_722),
        (resnet_cifar, {"depth": 32}, 464_154),
        (resnet_cifar, {"depth": 44}, 658_586),
        (resnet_cifar, {"depth": 56}, 853_018),
        (resnet18, {}, 11_173_962),
        (preact_resnet18, {}, 11_172_170),
        (wide_resnet, {"depth": 28}, 36_479_194),
        (wide_resnet, {}, 46_160_474),
    ],
)
def test_number_of_parameters(
    make: Callable[..., nn.Sequential], choices: dict[str, Any], expected: int
) -> None:
    with torch.device("meta"):
        model = make(CIFAR, 10, **choices)
    assert sum(p.numel() for p in model.parameters()) == expected


@pytest.mark.parametrize(
    ("make", "choices", "convolutions", "classifier"),
    [
        (resnet_cifar, {}, 40_550_400, 640),
        (resnet18, {}, 555_417_600, 5_120),
        (preact_resnet18, {}, 555_417_600, 5_120),
        (wide_resnet, {"depth": 28}, 5_243_322_368, 6_400),
    ],
)
def test_macs(
    make: Callable[..., nn.Sequential],
    choices: dict[str, Any],
    convolutions: int,
    classifier: int,
) -> None:
    """As torch counts them, on no data; two operations are one multiply-accumulate."""
    with torch.device("meta"):
        model, x = make(CIFAR, 10, **choices).eval(), torch.empty(1, *CIFAR)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x)
    found = {str(op): flops // 2 for op, flops in counter.get_flop_counts()["Global"].items()}
    assert found == {"aten.convolution": convolutions, "aten.addmm": classifier}


def test_resnet18_equals_torchvisions_with_the_same_weights() -> None:
    model = with_statistics(seeded(resnet18, (3, 16, 16)))
    reference = ResNet(BasicBlock, [2, 2, 2, 2], num_classes=10)
    reference.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    reference.maxpool = nn.Identity()
    reference.load_state_dict(
        {
            name.replace("shortcut", "downsample").replace("linear", "fc"): value
            for name, value in model.state_dict().items()
        }
    )
    x = images(2, 3, 16, 16)
    torch.testing.assert_close(model(x), reference.eval()(x))


def test_shortcuts_of_resnet_cifar_subsample_and_pad() -> None:
    """Without residuals the network is its stem, every fourth pixel, among channels of zeros."""
    model = with_statistics(seeded(resnet_cifar, (3, 13, 13)))
    for block in (*model.layer1, *model.layer2, *model.layer3):
        nn.init.zeros_(block.bn2.weight)
        nn.init.zeros_(block.bn2.bias)
    x = images(2, 3, 13, 13)
    stem = F.relu(model.bn1(model.conv1(x)))[:, :, ::4, ::4]
    expected = F.linear(stem.mean((2, 3)), model.linear.weight[:, 24:40], model.linear.bias)
    torch.testing.assert_close(model(x), expected)


@pytest.mark.parametrize(
    ("make", "size", "stage", "shortcut", "last", "classifier"),
    [
        (preact_resnet18, {"width": 4}, "layer{}", "shortcut.0", "bn", "linear"),
        (wide_resnet, {"depth": 16, "widen": 2}, "block{}.layer", "convShortcut", "bn1", "fc"),
    ],
)
def test_preactivation(
    make: Callable[..., nn.Sequential],
    size: dict[str, Any],
    stage: str,
    shortcut: str,
    last: str,
    classifier: str,
) -> None:
    """He et al. (ECCV 2016), figure 1b, from the weights alone, by the names of public checkpoints."""
    model = with_statistics(seeded(make, (3, 16, 16), **size))
    state = model.state_dict()

    def active(x: Tensor, name: str) -> Tensor:
        statistics = (state.pop(f"{name}.running_{key}") for key in ("mean", "var"))
        del state[f"{name}.num_batches_tracked"]
        weights = (state.pop(f"{name}.{key}") for key in ("weight", "bias"))
        return F.batch_norm(x, *statistics, *weights).relu()

    x = inputs = images(2, 3, 16, 16)
    x = F.conv2d(x, state.pop("conv1.weight"), padding=1)
    stages = sum(f"{stage.format(i)}.0.bn1.weight" in state for i in range(1, 5))
    for i in range(stages):
        for j in range(2):
            name = f"{stage.format(i + 1)}.{j}"
            stride = 2 if i > 0 and j == 0 else 1
            a = active(x, f"{name}.bn1")
            if f"{name}.{shortcut}.weight" in state:
                x = F.conv2d(a, state.pop(f"{name}.{shortcut}.weight"), stride=stride)
            a = F.conv2d(a, state.pop(f"{name}.conv1.weight"), stride=stride, padding=1)
            x = x + F.conv2d(active(a, f"{name}.bn2"), state.pop(f"{name}.conv2.weight"), padding=1)
    x = active(x, last).mean((2, 3))
    expected = F.linear(x, state.pop(f"{classifier}.weight"), state.pop(f"{classifier}.bias"))
    assert not state
    torch.testing.assert_close(model(inputs), expected)


@small
def test_normalisation_inside_equals_outside(
    make: Callable[..., nn.Sequential], size: dict[str, Any]
) -> None:
    x = images(2, 3, 8, 8)
    plain = seeded(make, (3, 8, 8), **size).eval()
    assert isinstance(plain.normalise, nn.Identity)
    normalising = seeded(make, (3, 8, 8), **size, mean=MEAN, std=STD).eval()
    assert normalising.state_dict().keys() == plain.state_dict().keys()
    outside = (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    assert torch.equal(normalising(x), plain(outside))


def test_normalisation_moves_with_its_network() -> None:
    x = images(2, 3, 8, 8)
    model = seeded(resnet_cifar, (3, 8, 8), depth=8, mean=MEAN, std=STD).eval()
    assert torch.equal(copy.deepcopy(model)(x), model(x))
    assert copy.deepcopy(model).to("meta")(x.to("meta")).device.type == "meta"
    double = copy.deepcopy(model).double()(x.double())
    torch.testing.assert_close(double.float(), model(x))
    last = copy.deepcopy(model).to(memory_format=torch.channels_last)
    torch.testing.assert_close(last(x.to(memory_format=torch.channels_last)), model(x))


@pytest.mark.parametrize("key", ["mean", "std"])
@pytest.mark.parametrize("numbers", [[], [0.5, 0.5]])
def test_wrong_number_of_channels(key: str, numbers: list[float]) -> None:
    with pytest.raises(UserError, match=rf"{key} should hold 1 or 3 numbers .* {len(numbers)}"):
        resnet18((3, 8, 8), 10, width=1, **{key: numbers})
    with pytest.raises(UserError, match=rf"{key} should hold 1 number .* {len(numbers)}"):
        resnet18((1, 8, 8), 10, width=1, **{key: numbers})


@pytest.mark.parametrize("depth", [1, 2, 18, 21, 113])
def test_wrong_depth_of_resnet_cifar(depth: int) -> None:
    with pytest.raises(UserError, match=rf"depth should be 6 n \+ 2.* got {depth}"):
        resnet_cifar(CIFAR, 10, depth=depth)


@pytest.mark.parametrize("depth", [1, 4, 18, 32])
def test_wrong_depth_of_wide_resnet(depth: int) -> None:
    with pytest.raises(UserError, match=rf"depth should be 6 n \+ 4.* got {depth}"):
        wide_resnet(CIFAR, 10, depth=depth, widen=1)


@small
def test_a_seed_gives_the_weights(make: Callable[..., nn.Sequential], size: dict[str, Any]) -> None:
    first, again = (seeded(make, (3, 8, 8), **size).state_dict() for _ in range(2))
    torch.manual_seed(1)
    other = make((3, 8, 8), 10, **size).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


def test_initial_variance() -> None:
    """2 / (kernel size * output channels); the estimate from n normal draws errs by sqrt(2 / n)."""
    model = seeded(resnet18, CIFAR, width=16)
    for layer in (m for m in model.modules() if isinstance(m, nn.Conv2d)):
        n = layer.weight.numel()
        expected = 2 / (layer.out_channels * layer.kernel_size[0] ** 2)
        assert layer.weight.detach().var() / expected == pytest.approx(1, abs=4 * (2 / n) ** 0.5)


@small
def test_gradients_reach_all_parameters(
    make: Callable[..., nn.Sequential], size: dict[str, Any]
) -> None:
    model = seeded(make, (3, 16, 16), **size, mean=MEAN, std=STD)
    x = images(4, 3, 16, 16).requires_grad_()
    F.cross_entropy(model(x), torch.arange(4)).backward()
    for name, p in model.named_parameters():
        assert p.grad is not None, name
        assert p.grad.isfinite().all(), name
        assert p.grad.count_nonzero(), name
    assert x.grad is not None
    assert x.grad.count_nonzero()


@small
def test_nothing_is_changed_in_place(
    make: Callable[..., nn.Sequential], size: dict[str, Any]
) -> None:
    """What a hook keeps of a layer's output is the same after the forward pass."""
    model = with_statistics(seeded(make, (3, 8, 8), **size))
    kept: list[tuple[str, Tensor, Tensor]] = []
    for name, module in model.named_modules():
        module.register_forward_hook(
            lambda _, __, output, name=name: kept.append((name, output, output.clone()))
        )
    with torch.no_grad():
        model(images(2, 3, 8, 8))
    assert [name for name, output, copied in kept if not torch.equal(output, copied)] == []


@small
def test_all_but_the_first_and_the_last_layer_take_injection(
    make: Callable[..., nn.Sequential],
    size: dict[str, Any],
    digits: tuple[Tensor, Tensor],
    make_spec: Callable[..., InjectionSpec],
) -> None:
    x = digits[0][:4]
    model = with_statistics(seeded(make, (1, 28, 28), **size, mean=[0.13], std=[0.31]))
    layers = [n for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    noisy = inject(model, make_spec(min_inputs=1), x)
    assert (layers[0], model.get_submodule(layers[-1])) == ("conv1", model[-1])
    assert [name for name, _ in noisy_layers(noisy)] == layers[1:-1]
    assert not torch.equal(noisy(x), model(x))
    assert torch.equal(remove(noisy)(x), model(x))


@pytest.mark.parametrize("name", sorted({*plugins.names("model")} - {"function", "torchvision"}))
def test_defaults_of_the_config_are_those_of_the_function(name: str) -> None:
    config = settings.validate("model", {"name": name})
    with torch.device("meta"):
        plugins.load("model", name)(CIFAR, 10, **plugins.arguments(config))


def test_lenet5_by_hand() -> None:
    model = lenet5((1, 28, 28), 10)
    count = 32 * (9 + 1) + 64 * (32 * 9 + 1) + 200 * (64 * 49 + 1) + 10 * 201
    assert sum(p.numel() for p in model.parameters()) == count == 648_226
    assert model(torch.rand(2, 1, 28, 28)).shape == (2, 10)
    assert lenet5((3, 32, 30), 7, hidden=5)(torch.rand(1, 3, 32, 30)).shape == (1, 7)


@pytest.mark.parametrize("convolutions", [1, 2, 4, 5, 7])
def test_small_cnn_has_a_relu_after_every_layer_but_the_last(convolutions: int) -> None:
    network = small_cnn((1, 9, 9), 3, channels=[4] * convolutions, hidden=5)
    kinds = [type(layer) for layer in network if not isinstance(layer, nn.Flatten)]
    assert kinds == [nn.Conv2d, nn.ReLU] * convolutions + [nn.Linear, nn.ReLU, nn.Linear]
    assert network(torch.rand(2, 1, 9, 9)).shape == (2, 3)
