"""Patterns choose layers by name and type; later ones win."""

import pytest
import torch
from torch import nn

from nenni.core.errors import UserError
from nenni.method.layer_patterns import chosen, hits, kind_of, unmatched

KINDS = {"conv1": "Conv2d", "conv2": "Conv2d", "fc1": "Linear", "fc2": "Linear"}
USUAL = {"conv2", "fc1"}


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        ([], USUAL),
        (["!fc1"], {"conv2"}),
        (["!conv2", "fc2"], {"fc1", "fc2"}),
        (["conv*"], {"conv1", "conv2"}),
        (["type:Linear"], {"fc1", "fc2"}),
        (["*", "!type:Conv2d", "conv1"], {"conv1", "fc1", "fc2"}),
        (["fc1", "!fc*"], set()),
    ],
)
def test_what_patterns_choose(patterns: list[str], wanted: set[str]) -> None:
    assert chosen(patterns, KINDS, USUAL) == wanted
    assert {"conv2", "fc1"} == USUAL, "as it was"


@pytest.mark.parametrize("pattern", ["conv3", "!conv3", "type:Conv1d"])
def test_one_that_matches_none_is_refused(pattern: str) -> None:
    assert hits(pattern, KINDS) == set()
    with pytest.raises(UserError, match=f"layers: '{pattern}' matches none of: conv1, conv2, fc1"):
        chosen(["*", pattern], KINDS, USUAL)


def test_a_parametrised_layer_has_the_type_that_it_had() -> None:
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 3))
    assert type(layer).__name__ != "Linear"
    assert kind_of(layer) == "Linear"


def test_modules_of_other_types_count_where_they_are_asked_for() -> None:
    with torch.device("meta"):
        network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
    assert unmatched(network, ["0", "1", "9"]) == (["1", "9"], ["0", "3"])
    assert unmatched(network, ["1", "type:ReLU"], (nn.ReLU,)) == ([], ["1"])
