"""Whether answers are the image's own is found out before a network is attacked."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from zoo import load_zoo

from nenni.adversary.fast_copy import NOT_COPIED
from nenni.evaluation.subject import (
    BATCH_DEPENDS,
    PROBABILITIES,
    REMEMBERS,
    RESTLESS,
    ROUNDING,
    UNCOPIED,
    Afresh,
    Alone,
    examine,
)
from nenni.method.fit import fit
from nenni.method.injection import inject
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec

Digits = tuple[Tensor, Tensor]
ZOO = load_zoo()
WITHIN: Any = {"eps": 0.1, "norm": "linf"}


@pytest.fixture
def images(digits: Digits) -> Tensor:
    return digits[0][800:840]


def test_an_honest_network_is_asked_as_it_is(trained: nn.Module, images: Tensor) -> None:
    subject = examine(trained, images, **WITHIN)
    assert subject.model is trained
    assert (subject.classes, subject.injected, subject.randomised) == (10, False, False)
    assert subject.notes == []
    assert subject.attacked is not trained


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (nn.Softmax(1), True),
        (nn.Sequential(nn.Softmax(1), nn.Hardtanh(0, 1)), True),
        (nn.LogSoftmax(1), False),
        (nn.Sigmoid(), False),
        (nn.Identity(), False),
    ],
)
def test_probabilities_in_place_of_logits_are_noted(
    head: nn.Module, told: bool, trained: nn.Module, images: Tensor
) -> None:
    subject = examine(nn.Sequential(trained, head).eval(), images, **WITHIN)
    assert (PROBABILITIES in subject.notes) is told


def test_memory_is_noticed_and_each_pass_is_made_afresh(trained: nn.Module, images: Tensor) -> None:
    model = ZOO.Remembering(copy.deepcopy(trained)).eval()
    subject = examine(model, images, **WITHIN)
    assert subject.notes == [REMEMBERS]
    assert isinstance(subject.model, Afresh)
    assert model.seen == [], "the network itself was not asked"
    subject.model(images)
    near = (images + 0.05).clamp(0, 1)
    torch.testing.assert_close(subject.model(near), trained(near))
    gradient = torch.autograd.grad(subject.attacked(near.requires_grad_()).sum(), near)[0]
    assert gradient.abs().max() > 0


def test_dependence_on_the_batch_is_noticed_and_each_image_is_asked_alone(
    trained: nn.Module, images: Tensor
) -> None:
    class Centred(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return trained(x - 0.5 * x.mean(0) if len(x) > 1 else x)

    subject = examine(Centred().eval(), images, **WITHIN)
    assert subject.notes == [BATCH_DEPENDS]
    assert isinstance(subject.model, Alone)
    torch.testing.assert_close(subject.model(images), trained(images), rtol=1e-4, atol=1e-4)


def test_a_network_that_draws_is_no_network_with_memory(trained: nn.Module, images: Tensor) -> None:
    subject = examine(ZOO.Noisy(trained, 0.1).eval(), images, **WITHIN)
    assert subject.randomised
    assert subject.notes == []


def test_what_cannot_be_copied_is_attacked_itself(trained: nn.Module, images: Tensor) -> None:
    class Locked(nn.Module):
        def __deepcopy__(self, _: object) -> None:
            raise TypeError("cannot be copied")

        def forward(self, x: Tensor) -> Tensor:
            return trained(x)

    model = Locked().eval()
    subject = examine(model, images, **WITHIN)
    assert subject.attacked is model
    assert subject.notes == [NOT_COPIED, UNCOPIED]
    assert not subject.copied


def test_memory_of_the_same_image_is_no_randomness(trained: nn.Module, images: Tensor) -> None:
    """A detector of repeated queries; taken for random, it had a clean accuracy of 0."""

    class Detecting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[Tensor] = []

        def forward(self, x: Tensor) -> Tensor:
            z = trained(x)
            for known in self.seen:
                near = (x[:, None] - known).flatten(2).abs().amax(2).amin(1) < 0.2
                z = torch.where(near[:, None], z.roll(1, 1), z)
            self.seen = [x.detach().clone()]
            return z  # type: ignore[no-any-return]

    subject = examine(Detecting().eval(), images, **WITHIN)
    assert not subject.randomised
    assert subject.notes == [REMEMBERS]
    torch.testing.assert_close(subject.model(images), trained(images))


def test_a_source_of_its_own_is_randomness(trained: nn.Module, images: Tensor) -> None:
    class Private(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rng = np.random.default_rng(0)

        def forward(self, x: Tensor) -> Tensor:
            return trained(x) + float(self.rng.normal())

    subject = examine(Private().eval(), images, **WITHIN)
    assert subject.randomised
    assert subject.notes == [RESTLESS]


def test_a_network_that_learns_from_what_it_is_asked_is_noted(
    trained: nn.Module, images: Tensor
) -> None:
    """Its mean follows the batches: 54 % without a word, where 12 are right."""

    class Adapting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mean = torch.zeros(images.shape[1:])

        def forward(self, x: Tensor) -> Tensor:
            self.mean = self.mean.lerp(x.detach().mean(0), 0.1)
            return trained(x - 0.3 * self.mean)

    assert examine(Adapting().eval(), images, **WITHIN).notes == [RESTLESS]


class Hissing(nn.Module):
    """Too little noise to matter."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        z = self.network(x)
        return z + 1e-6 * torch.randn_like(z)


class Unused(nn.Module):
    """Classes that are never predicted beside those of a network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        z = self.network(x)
        return torch.cat([z, z.new_full((len(z), 3), -1e9)], 1)


class Greying(nn.Module):
    """Turns an image grey where others are near: clean ones hardly change."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network((x > 0.5).to(x) + 0 * x if len(x) > 1 else x)  # type: ignore[no-any-return]


@pytest.fixture
def injected(
    trained: nn.Module, digits: Digits, make_spec: Callable[..., InjectionSpec]
) -> nn.Module:
    network = inject(copy.deepcopy(trained), make_spec(selection=TopK(0.5)), digits[0][:2])
    fit(network, digits[0][:50])
    return network.eval()


@pytest.mark.parametrize("around", [Hissing, Unused, nn.Sequential])
def test_neither_noise_nor_a_class_that_is_never_predicted_hides_a_memory_or_a_batch(
    around: Any, trained: nn.Module, images: Tensor
) -> None:
    """83 to 98 % for 12, and of the noisy ones without a word."""
    remembering = around(ZOO.Remembering(copy.deepcopy(trained))).eval()
    subject = examine(remembering, images, **WITHIN)
    assert (subject.notes, subject.randomised) == ([REMEMBERS], around is Hissing)
    assert isinstance(subject.model, Afresh)
    subject = examine(around(Greying(trained)).eval(), images, **WITHIN)
    assert (subject.notes, subject.randomised) == ([BATCH_DEPENDS], around is Hissing)
    assert isinstance(subject.model, Alone)
    honest = examine(around(trained).eval(), images, **WITHIN)
    assert (honest.notes, honest.randomised) == ([], around is Hissing)


def test_a_first_batch_of_one_image_hides_no_dependence(trained: nn.Module, images: Tensor) -> None:
    assert examine(Greying(trained).eval(), images[:1], **WITHIN).notes == [BATCH_DEPENDS]
    assert examine(trained, images[:1], **WITHIN).notes == []


def test_an_injected_network_is_asked_alone_where_the_batch_decides(
    injected: nn.Module, images: Tensor
) -> None:
    """It was put down to rounding: 83 % for 12."""
    assert examine(injected, images, **WITHIN).notes in ([], [ROUNDING])
    assert examine(Greying(injected).eval(), images, **WITHIN).notes == [BATCH_DEPENDS]


def test_randomness_away_from_the_images_is_noticed(trained: nn.Module, images: Tensor) -> None:
    """Asked at the images alone, it was taken to be deterministic: 0 % for 70."""

    class WhereNoisy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            noisy = (x.flatten(1) > 0).double().mean(1) > 0.3
            swap = noisy & (torch.rand(len(x)) < 0.3)
            z = trained(x)
            return torch.where(swap[:, None], z.roll(1, 1), z)

    assert examine(WhereNoisy().eval(), images, **WITHIN).randomised
