import pytest
import torch
from torch import Tensor, nn

from nenni.adversary import fast_copy
from nenni.adversary.fast_copy import NOT_COPIED, faster
from nenni.networks.image_convolution import ImageConv2d, takes_images
from nenni.networks.models.preact_resnet18 import preact_resnet18
from nenni.networks.models.resnet_cifar import resnet_cifar


def with_statistics(model: nn.Module) -> nn.Module:
    """Batch norms as after training, so that folding them is not nothing."""
    draws = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.bias):
                assert tensor is not None
                tensor.data = torch.randn(tensor.shape, generator=draws) / 5
            for tensor in (module.running_var, module.weight):
                assert tensor is not None
                tensor.data = 0.5 + torch.rand(tensor.shape, generator=draws)
    return model.eval()


@pytest.mark.parametrize(
    ("build", "left"),
    [
        (lambda: resnet_cifar((3, 32, 32), 10, depth=20), 0),
        (lambda: preact_resnet18((3, 32, 32), 10, width=8), 9),
    ],
    ids=["resnet20", "preact_resnet18"],
)
def test_no_prediction_changes(build: object, left: int) -> None:
    model = with_statistics(build())  # type: ignore[operator]
    images = torch.rand(64, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    quick, note = faster(model, images[:2])
    assert not note
    torch.testing.assert_close(quick(images), model(images), rtol=1e-3, atol=1e-3)
    assert torch.equal(quick(images).argmax(1), model(images).argmax(1))
    norms = [m for m in quick.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == left
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


class AtKink(nn.Module):
    """Has an image at a ReLU's zero, where a rounding decides the gradient."""

    def __init__(self, kink: Tensor) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 1, 3, bias=False), nn.BatchNorm2d(1)
        self.last = nn.Linear(36, 3)
        with_statistics(self)
        with torch.no_grad():
            self.last.weight[:, 7] = 5
            self.register_buffer(
                "at", self.norm(self.conv(kink)).flatten()[7].nextafter(kink.max())
            )

    def forward(self, x: Tensor) -> Tensor:
        z = self.norm(self.conv(x)).flatten(1)
        return self.last(z + (z - self.at).relu())


def test_a_gradient_that_jumps_at_one_image_is_no_other_function(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    images = torch.rand(2, 1, 8, 8)
    model, copy = AtKink(images[:1]), fast_copy._copy

    def rounded_otherwise(model: nn.Module, example_input: Tensor) -> nn.Module:
        quick = copy(model, example_input)
        quick.at -= 1e-6
        return quick

    monkeypatch.setattr(fast_copy, "_copy", rounded_otherwise)
    slopes = [fast_copy._look(m, images)[1] for m in (model, rounded_otherwise(model, images))]
    assert not torch.allclose(*slopes, rtol=0.1)
    assert faster(model, images)[1] == ""


def test_a_convolution_that_is_used_twice_is_not_folded() -> None:
    class Forked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)

        def forward(self, x: Tensor) -> Tensor:
            z = self.conv(x)
            return (self.norm(z) + z).mean((2, 3))

    model = with_statistics(Forked())
    x = torch.rand(5, 1, 6, 6)
    quick, _ = faster(model, x)
    assert isinstance(quick.norm, nn.BatchNorm2d)
    torch.testing.assert_close(quick(x), model(x))


def test_injected_networks_stay_as_they_are(noisy: nn.Module) -> None:
    assert faster(noisy, torch.rand(3, 1, 28, 28)) == (noisy, "")


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(1, 5, 3, stride=2, padding=1),
        nn.Conv2d(3, 4, (3, 2), stride=(1, 2), padding=(2, 0), dilation=2, bias=False),
        nn.Conv2d(2, 4, 5, stride=3),
    ],
)
def test_the_gradient_for_images_is_the_convolutions_own(conv: nn.Conv2d) -> None:
    assert takes_images(conv)
    conv = conv.double().requires_grad_(False)
    x = torch.rand(3, conv.in_channels, 11, 12, dtype=torch.float64, requires_grad=True)
    weights = torch.rand_like(conv(x))
    (expected,) = torch.autograd.grad((weights * conv(x)).sum(), x)
    found = ImageConv2d(conv)(x)
    assert torch.equal(found, conv(x))
    torch.testing.assert_close(torch.autograd.grad((weights * found).sum(), x)[0], expected)


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(4, 4, 3),
        nn.Conv2d(2, 4, 3, groups=2),
        nn.Conv2d(1, 4, 3, padding="same"),
        nn.Conv2d(1, 4, 3, padding=1, padding_mode="circular"),
        nn.Linear(3, 4),
    ],
)
def test_other_layers_keep_their_gradient(module: nn.Module) -> None:
    assert not takes_images(module)


class Standardised(nn.Conv2d):
    """A stem whose weights are standardised, as in BiT: a class of its own."""

    def forward(self, x: Tensor) -> Tensor:
        flat = self.weight.flatten(1)
        weight = (flat - flat.mean(1, keepdim=True)) / flat.std(1, keepdim=True)
        return nn.functional.conv2d(x, weight.view_as(self.weight), self.bias)


class Padded(nn.Conv2d):
    """Another way to pad than its attributes say."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(nn.functional.pad(x, (1, 1, 1, 1), mode="reflect"))


class Viewed(nn.Module):
    """A view that other layouts do not allow."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.readout = nn.Conv2d(1, 4, 3), nn.Linear(4 * 26 * 26, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.readout(self.conv(x).view(len(x), -1))  # type: ignore[no-any-return]


class Deep(nn.Module):
    """A convolution over three dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.readout = nn.Conv3d(1, 4, (1, 3, 3)), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.readout(self.conv(x[:, None]).relu().mean((2, 3, 4)))  # type: ignore[no-any-return]


def stem(conv: nn.Conv2d) -> nn.Module:
    return nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 5))


def hooked_stem() -> nn.Module:
    model = stem(nn.Conv2d(1, 4, 3))
    model[0].register_forward_hook(lambda module, inputs, output: output.abs())  # type: ignore[operator]
    return model


def weight_normed() -> nn.Module:
    return stem(nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 4, 3)))


def overwriting() -> nn.Module:
    class Overwriting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = stem(nn.Conv2d(1, 4, 3))

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x.sub_(0.5))  # type: ignore[no-any-return]

    return Overwriting()


UNUSUAL = {
    "standardised": lambda: stem(Standardised(1, 4, 3)),
    "padded": lambda: stem(Padded(1, 4, 3)),
    "same padding": lambda: stem(nn.Conv2d(1, 4, 3, padding="same")),
    "hook": hooked_stem,
    "weight norm": weight_normed,
    "view": Viewed,
    "three dimensions": Deep,
    "script": lambda: torch.jit.script(stem(nn.Conv2d(1, 4, 3))),
    "overwriting": overwriting,
    "dropout": lambda: nn.Sequential(stem(nn.Conv2d(1, 4, 3)), nn.Dropout()),
}


@pytest.mark.parametrize("name", UNUSUAL)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_attacked_is_the_same_function_whatever_it_is_made_of(name: str) -> None:
    """Taken for plain convolutions, a standardised stem looked 36 points more robust."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = UNUSUAL[name]().eval()
    x = torch.rand(12, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    kept = x.clone()
    quick, note = faster(model, x[:4])
    assert torch.equal(x, kept)
    assert (quick is model) == (note == NOT_COPIED)

    def slope(network: nn.Module) -> Tensor:
        points = x.clone().requires_grad_()
        return torch.autograd.grad(network(points.clone())[:, 1].sum(), points)[0]

    torch.testing.assert_close(quick(x.clone()), model(x.clone()), rtol=1e-3, atol=1e-4)
    expected = slope(model)
    assert expected.abs().max() > 0
    torch.testing.assert_close(slope(quick), expected, rtol=1e-3, atol=1e-4)


def test_a_copy_with_another_gradient_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs alone do not prove it."""
    model = stem(nn.Conv2d(1, 4, 3)).eval()

    class Cut(nn.Module):
        def __init__(self, conv: nn.Conv2d) -> None:
            super().__init__()
            self.conv = conv

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x.detach() + 0 * x)  # type: ignore[no-any-return]

    monkeypatch.setattr(fast_copy, "ImageConv2d", Cut)
    assert faster(model, torch.rand(4, 1, 28, 28)) == (model, NOT_COPIED)
