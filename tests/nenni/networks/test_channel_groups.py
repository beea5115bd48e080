"""Any order of the groups that are found leaves a network's answers as they were."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn
from torch.nn.utils import prune

from nenni.networks.channel_groups import ChannelGroup, channel_groups, reorder
from nenni.networks.models.resnet18 import resnet18

LARGE = (1, 3, 64, 64)


def own_resnet() -> nn.Module:
    return resnet18((3, 16, 16), 4, width=8)


class Cases(nn.Module):
    """A network of channels that are mixed, tied, split and asked for."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.again = nn.Conv2d(8, 8, 3, padding=1)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.deep = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.last = nn.Linear({"view": 128, "transposed": 128, "one_map": 16}.get(kind, 8), 5)
        self.factor = nn.Parameter(torch.rand(8))
        self.wide, self.square, self.wide_last = (
            nn.Linear(8, 16),
            nn.Linear(8, 8),
            nn.Linear(128, 5),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm(self.first(x)))
        if self.kind == "twice":
            y = self.again(torch.tanh(self.again(y))) + 1
        elif self.kind == "plainly_twice":
            y = self.again(y).relu()
        elif self.kind == "grouped":
            y = self.again(self.grouped(y))
        elif self.kind == "deep":
            y = self.again(self.deep(y)).relu() * 2
        elif self.kind == "split":
            one, other = y.chunk(2, 1)
            y = self.again(torch.cat([other, one], 1))
        elif self.kind == "across":
            y = self.again(y) * y.mean(1, keepdim=True)
        elif self.kind == "scaled":
            y = self.again(y) * self.deep(y).mean((2, 3), keepdim=True)
        elif self.kind == "one_by_one":
            return self.last(y.mean((2, 3)) * self.factor)
        elif self.kind == "each":
            y = self.again(y) * self.factor[None, :, None, None]
        elif self.kind == "clamped":
            return self.last(y.mean((2, 3)).clamp(min=self.factor))
        elif self.kind == "read":
            y = F.conv2d(self.again(y), self.again.weight, padding=1)
        elif self.kind == "read_later":
            return self.last(y.mean((2, 3))) + self.last.weight @ self.factor
        elif self.kind == "one_map":
            return self.last(y[:, :1].flatten(1) * self.wide(y.mean((2, 3))))
        elif self.kind == "pooled":
            return self.last(F.avg_pool2d(y.mean(2), 3, 1, 1).mean(2))
        elif self.kind == "both_ranks":
            return self.last(y.mean((2, 3)) + self.square(self.square(y.mean(3).mT).mean(1)))
        elif self.kind == "two_repeats":
            return self.wide_last(y.flatten(1)) + self.wide_last(y.repeat(1, 16, 1, 1).mean((2, 3)))
        elif self.kind == "rolled":
            y = torch.roll(self.again(y), 1, 1)
        elif self.kind == "view":
            return self.last(y.view(y.size(0), -1))
        elif self.kind == "transposed":
            return self.last(y.transpose(1, 2).flatten(1))
        return self.last(y.mean((2, 3)))


def found(model: nn.Module, size: tuple[int, ...]) -> list[ChannelGroup]:
    return channel_groups(model, torch.zeros(size, dtype=torch.float64))


def prepared(make: Callable[[], nn.Module]) -> nn.Module:
    """In float64, with statistics and factors that tell channels apart."""
    torch.manual_seed(0)
    model = make().double().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.running_var, module.weight, module.bias):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 1.5)
    return model


def shuffled_answers(model: nn.Module, size: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    x = torch.rand(size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = model(x)
        for group in found(model, size):
            reorder(model, group, torch.randperm(group.channels))
        return before, model(x)


KINDS = {"twice": 1, "grouped": 1, "deep": 2, "split": 1, "across": 1, "scaled": 1, "rolled": 1,
         "view": 1, "transposed": 0, "one_by_one": 0, "each": 1, "plain": 1, "clamped": 0, "read": 0,
         "read_later": 0, "one_map": 0, "pooled": 0, "both_ranks": 0, "two_repeats": 0}  # fmt: skip
"""Network -> how many groups are free in it."""


@pytest.mark.parametrize("kind", KINDS)
def test_any_order_gives_the_same_answers(kind: str) -> None:
    size = (2, 3, 4, 4)
    model = prepared(lambda: Cases(kind))
    assert len(found(model, size)) == KINDS[kind]
    before, after = shuffled_answers(model, size)
    assert torch.allclose(before, after, rtol=1e-9)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "own_resnet18": own_resnet,
    "resnet50": torchvision.models.resnet50,
    "vgg11_bn": torchvision.models.vgg11_bn,
    "mobilenet_v3_small": torchvision.models.mobilenet_v3_small,
    "densenet121": torchvision.models.densenet121,
    "googlenet": lambda: torchvision.models.googlenet(aux_logits=False, init_weights=False),
}


@pytest.mark.long
@pytest.mark.parametrize("name", NETWORKS)
def test_any_order_of_a_known_network_gives_the_same_answers(name: str) -> None:
    model = prepared(NETWORKS[name])
    assert found(model, LARGE)
    before, after = shuffled_answers(model, LARGE)
    assert torch.allclose(before, after, rtol=1e-9)


def test_a_residual_stream_is_one_group() -> None:
    groups = found(prepared(own_resnet), (1, 3, 16, 16))
    assert len(groups) == 4 + 8
    stem = groups[0]
    assert stem.channels == 8
    assert stem.writers == ("conv1", "layer1.0.conv2", "layer1.1.conv2")
    assert stem.passed == ("bn1", "layer1.0.bn2", "layer1.1.bn2")
    readers = ["layer1.0.conv1", "layer1.1.conv1", "layer2.0.conv1", "layer2.0.shortcut.0"]
    assert sorted(stem.readers) == sorted((name, 1) for name in readers)
    inner = next(group for group in groups if "layer3.1.conv1" in group.writers)
    assert inner == ChannelGroup(
        32, ("layer3.1.conv1",), ("layer3.1.bn1",), (("layer3.1.conv2", 1),)
    )
    assert ("linear", 1) in groups[-2].readers + groups[-1].readers


def test_flattened_channels_are_read_by_as_many_inputs_as_they_have_positions() -> None:
    (group,) = found(prepared(lambda: Cases("view")), (2, 3, 4, 4))
    assert group.readers == (("last", 16),)


CHANGES: dict[str, Callable[[nn.Conv2d, nn.Conv2d], object]] = {
    "weight norm": lambda first, _: nn.utils.parametrizations.weight_norm(first),
    "spectral norm": lambda first, _: nn.utils.spectral_norm(first),
    "pruned": lambda _, again: prune.l1_unstructured(again, "weight", 0.5),
    "tied": lambda first, again: setattr(again, "bias", first.bias),
    "hooked": lambda first, _: first.register_forward_hook(lambda _m, _i, z: z.roll(1, 1)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_layers_whose_numbers_are_not_their_own_stay(change: str) -> None:
    size = (2, 3, 4, 4)
    model = prepared(lambda: Cases("plainly_twice"))
    with torch.no_grad():
        model(torch.rand(size, dtype=torch.float64))
    CHANGES[change](model.first, model.again)  # type: ignore[arg-type]
    before, after = shuffled_answers(model.eval(), size)
    assert torch.allclose(before, after, rtol=1e-9)


def test_a_container_with_a_hook_hides_what_it_does() -> None:
    model = prepared(own_resnet)
    model.get_submodule("layer1").register_forward_hook(lambda _m, _i, z: z.roll(1, 1))
    assert found(model, (1, 3, 16, 16)) == []
