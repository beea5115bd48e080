"""Networks as if injected."""

from pathlib import Path
from typing import Any, get_args

import pytest
from injection_cases import with_method

import hwmodel
from hwmodel import bitops
from hwmodel.errors import UserError
from hwmodel.hypothetical import Matrix, read_granularity
from hwmodel.layer_latency import layer_latency
from hwmodel.network_spec import Network


def test_inner_layers_are_injected_with_expected_nonzeros(plain: Network) -> None:
    found = with_method(plain)
    assert [layer.injection is not None for layer in found.layers] == [False] * 3 + [True, False]
    shared = found.layers[3].injection
    assert shared is not None
    assert (shared.k_c, shared.k, shared.nonzeros) == (2, 18, 11)
    assert shared.selection.algorithm == "quickselect"
    assert (shared.measured_fraction, shared.weight_bits) == (0.25, 4)
    for projection, nonzeros in (("ternary", 864), ("real", 18 * 144), ("single", 144)):
        other = with_method(plain, projection=projection).layers[3].injection
        assert other is not None
        assert (other.k, other.k_c, other.nonzeros) == (18, None, nonzeros)
    pca = with_method(plain, projection="real:shared", bits=8).layers[3].injection
    assert pca is not None
    assert (pca.nonzeros, pca.input_bits) == (32, 8)


@pytest.mark.parametrize("projection", get_args(Matrix))
@pytest.mark.parametrize("granularity", ["1x1", "1:4", "16x8", "1xall", "allx1"])
def test_what_is_assumed_is_a_valid_file(
    plain: Network, projection: str, granularity: str, tmp_path: Path
) -> None:
    found = with_method(plain, granularity, projection=projection)
    (tmp_path / "layers.json").write_text(found.model_dump_json())
    assert hwmodel.load(tmp_path / "layers.json") == found


@pytest.mark.parametrize(
    ("projection", "granularity", "like"),
    [("ternary", "1x1", {"nonzeros": 864}),
     ("single", "2:4", {"projection": "count_sketch", "nonzeros": 144, "selection": "2:4"}),
     ("real", "16x8", {"projection": "gaussian", "nonzeros": 18 * 144, "selection": "16x8"}),
     ("real:shared", "1xall",
      {"projection": "tap_shared_pca", "k_c": 2, "nonzeros": 32, "selection": "channel"}),
     ("ternary:shared", "1x1", {"projection": "tap_shared", "k_c": 2, "nonzeros": 11})],
)  # fmt: skip
def test_what_is_assumed_costs_what_such_a_network_does(
    plain: Network, make_layer: Any, projection: str, granularity: str, like: Any
) -> None:
    inner = with_method(plain, granularity, projection=projection, fraction=0.5).layers[3]
    described = make_layer(like, name="inner", out_channels=64)
    assert bitops.layer_terms(inner, 32) == bitops.layer_terms(described, 32)
    preset = hwmodel.load_preset("server_cpu")
    assert layer_latency(inner, preset, 3) == layer_latency(described, preset, 3)


def test_only_single_neurons_are_ranked(plain: Network) -> None:
    """Scores of 4 + 4 bits and 18 sums: 13 passes."""
    for algorithm, comparisons in (("quickselect", 3), ("bisection", 13)):
        found = with_method(plain, algorithm=algorithm)
        terms = {(t.layer, t.term): t for t in hwmodel.count_operations(found)}
        assert terms["inner", "selection"].comparisons == comparisons * 196 * 64
    with pytest.raises(UserError, match="bisection ranks single neurons, 1x1, not 1xall"):
        with_method(plain, "1xall", algorithm="bisection")


@pytest.mark.parametrize("text", ["single", "4:2", "2:", "0:0", "0x2", "2x2x2", "1xmost", "-1x2",
                                  "allxall", "x", ""])  # fmt: skip
def test_bad_granularities(text: str) -> None:
    with pytest.raises(UserError, match="should be channels x positions, as 16x8 or 1xall, or 2:4"):
        read_granularity(text)


def test_bad_shares(plain: Network) -> None:
    with pytest.raises(UserError, match=r"the granularity 2:4 has the fraction 0.5, not 0.25"):
        with_method(plain, "2:4", fraction=0.25)
    with pytest.raises(UserError, match=r"fraction should be in \[0, 1\], got 1.5"):
        with_method(plain, fraction=1.5)
    with pytest.raises(UserError, match="ratio should be above 0 and at most 1, got 0"):
        with_method(plain, ratio=0)
