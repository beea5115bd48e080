"""Networks remember what they are made from."""

import copy

import pytest
import torch
from torch import nn

from nenni.core.errors import UserError
from nenni.method.injection import inject, remove
from nenni.method.projection.sparse import Sparse
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec
from nenni.networks.architecture import Architecture
from nenni.networks.build import architecture_of, build
from nenni.networks.models.small_cnn import small_cnn

SPEC = InjectionSpec(TopK(0.5), Sparse(0.25))
MADE = Architecture.read(Architecture({"name": "small_cnn"}, (1, 12, 12), 4), "test")


def test_a_network_remembers_through_copies_injection_and_removal() -> None:
    network = build(MADE)
    noisy = inject(network, SPEC, torch.zeros(2, 1, 12, 12))
    for one in (network, copy.deepcopy(network), noisy, remove(noisy)):
        assert architecture_of(one) == MADE
        assert all("architecture" not in name for name in one.state_dict())
    assert network(torch.zeros(1, 1, 12, 12)).shape == (1, 4)
    assert MADE.model is not None
    assert MADE.model["hidden"] == 128, "defaults are filled in"


def test_an_injected_network_of_ones_own_knows_its_shape() -> None:
    own = small_cnn((1, 12, 12), 4)
    assert architecture_of(own) == Architecture()
    assert architecture_of(inject(own, SPEC, torch.zeros(2, 1, 12, 12))) == Architecture(
        input_shape=(1, 12, 12)
    )
    assert architecture_of(own) == Architecture(), "the given network is not changed"


def test_integers_are_no_images() -> None:
    """A network of words: zeros of a shape would not be what it takes."""
    model = nn.Sequential(nn.Embedding(9, 64), *(nn.Linear(64, 64) for _ in range(3)))
    noisy = inject(model, SPEC, torch.zeros(1, 5, dtype=torch.int64))
    assert architecture_of(noisy).input_shape is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Architecture(), "names no model"),
        (Architecture({"name": "small_cnn"}, n_classes=3), "small_cnn needs its input_shape"),
        (Architecture({"name": "small_cnn"}, (1, 12, 12)), "small_cnn needs its n_classes"),
    ],
)
def test_what_is_left_open_is_named(given: Architecture, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(given)
