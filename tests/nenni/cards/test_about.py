"""Checksums and identities: the same for the same, other ones for anything else."""

import pytest
import torch
from torch import Tensor, nn

from nenni.cards.about import about_images, about_machine, about_network
from nenni.core.machine import versions
from nenni.evaluation.resume import weights_of

Digits = tuple[Tensor, Tensor]


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.BatchNorm1d(10)).eval()


def test_other_weights_have_another_checksum() -> None:
    first, image = network(), torch.rand(1, 1, 28, 28)
    told = about_network(first, image, randomised=False)
    assert told.sha256 == about_network(network(), image, randomised=False).sha256
    assert (told.classes, told.parameters, told.input_shape) == (10, 7870, [1, 28, 28])
    assert not told.injected
    assert told.model is told.defence is None
    seen = {told.sha256}
    for name, value in first.state_dict().items():
        with torch.no_grad():
            value.view(-1)[0].add_(1)
        seen.add(weights_of(first))
        assert name
    assert len(seen) == 1 + len(first.state_dict())


def test_an_injected_network_tells_the_choices_of_its_layers(noisy: nn.Module) -> None:
    told = about_network(noisy, torch.rand(1, 1, 28, 28), randomised=False)
    assert told.injected
    assert told.defence is not None
    assert told.defence["name"] == "nenni"
    (choices, *_) = told.defence["layers"].values()
    assert choices["selection"] == {"name": "topk", "fraction": 0.5}
    assert choices["projection"]["name"] == "sparse"


@pytest.mark.parametrize("size", [1, 7, 40])
def test_images_are_the_same_in_any_batches(size: int, digits: Digits) -> None:
    x, y = digits[0][:40], digits[1][:40]
    whole = about_images([(x, y)], "digits")
    batches = list(zip(x.split(size), y.split(size), strict=True))
    assert about_images(batches, "digits") == whole
    assert whole.n == 40
    assert whole.labels.split() == [str(label) for label in y.tolist()]
    assert len(set(whole.images.split())) == 40


def test_other_images_or_labels_have_another_checksum(digits: Digits) -> None:
    x, y = digits[0][:5], digits[1][:5]
    lighter, other = x.clone(), y.clone()
    lighter[2, 0, 3, 3] += 2**-20
    other[4] = (other[4] + 1) % 10
    found = [
        about_images([pair], "") for pair in ((x, y), (lighter, y), (x, other), (x.flip(0), y))
    ]
    assert len({images.sha256 for images in found}) == 4
    a, b = found[0].images.split(), found[1].images.split()
    assert [i for i in range(5) if a[i] != b[i]] == [2]


def test_a_machine_is_told_by_what_decides_last_digits() -> None:
    told = about_machine(torch.device("cpu"))
    assert told.versions == versions()
    assert told.device == "cpu"
    assert told.gpu is None
    assert told.threads == torch.get_num_threads()
    assert told.processor
