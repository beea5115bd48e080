"""Blocks of layers that are reconstructed as a whole."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nenni.method.fit import fit
from nenni.method.fitting.blocks import blocks
from nenni.method.injection import inject
from nenni.method.selection.threshold import Threshold
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec
from nenni.networks.models.resnet_cifar import resnet_cifar

MakeSpec = Callable[..., InjectionSpec]
IMAGES = torch.rand(60, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_blocks_are_the_smallest_modules_with_several_injected_layers(
    make_spec: MakeSpec, noisy: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    resnet = inject(resnet_cifar((3, 16, 16), 10, depth=8).eval(), make_spec(), IMAGES[:1])
    names = list(blocks(resnet, IMAGES[:1]))
    assert len(names) == 3
    assert all(type(resnet.get_submodule(name)).__name__ == "BasicBlock" for name in names)
    assert list(blocks(noisy, digits[0][:1])) == [""]


class Odd(nn.Module):
    """Holds a block that is called twice, one of two inputs, and one that is a block."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Sequential(nn.Linear(12, 12), nn.Linear(12, 12))
        self.pair = Pair()
        self.once = nn.Sequential(nn.Linear(12, 12), nn.Linear(12, 12))
        self.last = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.twice(self.twice(x.flatten(1)))
        return self.last(self.once(self.pair(x, x)))


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(12, 12), nn.Linear(12, 12)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.a(x) + self.b(y)


def test_what_is_no_plain_function_of_one_tensor_is_left_out(make_spec: MakeSpec) -> None:
    x = torch.rand(4, 3, 2, 2)
    noisy = inject(Odd().eval(), make_spec(min_inputs=1), x[:1])
    assert list(blocks(noisy, x[:1])) == ["once"]
    fit(noisy, x, block_epochs=1)


def test_reconstruction_brings_a_network_nearer_on_its_images(make_spec: MakeSpec) -> None:
    model = resnet_cifar((3, 16, 16), 10, depth=8)
    with torch.no_grad():
        for _ in range(20):
            model(IMAGES)
    model.eval()

    def distance(epochs: int) -> float:
        noisy = inject(model, make_spec(selection=TopK(0.2)), IMAGES[:1])
        fit(noisy, IMAGES, block_epochs=epochs, lr=3e-3, batch_size=20)
        assert all(p.grad is None for p in noisy.parameters())
        with torch.no_grad():
            return float((noisy(IMAGES) - model(IMAGES)).square().mean())

    assert distance(10) < 0.9 * distance(0)


def test_thresholds_and_order_follow(make_spec: MakeSpec, trained: nn.Module) -> None:
    """The same images in the same order each time; calibrated thresholds are read once more."""
    x = torch.rand(30, 1, 28, 28)
    found = []
    for _ in range(2):
        noisy = inject(trained, make_spec(selection=Threshold(0.5)), x[:1])
        fit(noisy, x, block_epochs=2, batch_size=10)
        found.append(noisy.state_dict())
    assert all(torch.equal(tensor, found[1][name]) for name, tensor in found[0].items())
    plain = inject(trained, make_spec(selection=Threshold(0.5)), x[:1])
    fit(plain, x, batch_size=10)
    assert not torch.equal(plain.state_dict()["conv3.threshold"], found[0]["conv3.threshold"])


def test_what_holds_several_views_of_an_image_is_left_out(make_spec: MakeSpec) -> None:
    class Views(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.once = nn.Sequential(nn.Linear(12, 12), nn.Linear(12, 12))
            self.twice = nn.Sequential(nn.Linear(12, 12), nn.Linear(12, 12))

        def forward(self, x: Tensor) -> Tensor:
            x = self.once(x.flatten(1))
            return torch.stack(self.twice(torch.cat([x, -x])).chunk(2)).mean(0)

    x = torch.rand(4, 3, 2, 2)
    noisy = inject(Views().eval(), make_spec(min_inputs=1, layers=("*",)), x[:1])
    assert list(blocks(noisy, x[:1])) == ["once"]
