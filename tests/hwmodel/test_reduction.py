from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.bitops import dense_bitops, layer_terms
from hwmodel.reduction import BASELINES, VARIANTS, Reduction, layer_reduction, reductions

OVERHEADS = 1_693_440 + 64_288 + 244_608 + 6_272
APPROXIMATION = 112_896 * 16


def test_hand_computed_example(make_layer: Any) -> None:
    row = layer_reduction(make_layer({}), "int8", "exact_at_baseline")
    exact = 451_584 * 64
    assert row == Reduction(
        layer="conv",
        baseline="int8",
        variant="exact_at_baseline",
        evaluated=False,
        dense_bitops=903_168 * 64,
        bitops_without=exact + APPROXIMATION,
        bitops_with=exact + APPROXIMATION + OVERHEADS,
    )
    assert row.reduction_without == pytest.approx(0.5 - 2 / 64)
    assert row.reduction_with == pytest.approx(0.46875 - OVERHEADS / (903_168 * 64))


def test_exact_path_as_evaluated_keeps_its_bits(make_layer: Any) -> None:
    row = layer_reduction(make_layer({}), "int8", "as_evaluated")
    assert row.evaluated
    assert row.dense_bitops == 903_168 * 64
    assert row.bitops_without == 451_584 * 1024 + APPROXIMATION
    assert row.reduction_without < -6


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_baseline_precision_counts_as_evaluated_only_where_it_was(
    make_layer: Any, bits: int
) -> None:
    layer = make_layer({}, exact_bits=bits)
    rows = [layer_reduction(layer, baseline, "exact_at_baseline") for baseline in BASELINES]
    assert [row.evaluated for row in rows] == [bits == value for value in BASELINES.values()]


def test_rows_come_per_layer_with_the_total_last(make_network: Any, layer_dict: Any) -> None:
    network = make_network(layer_dict(None, name="a"), layer_dict({}, name="b"))
    rows = reductions(network)
    assert [row.layer for row in rows] == ["a"] * 6 + ["b"] * 6 + ["total"] * 6
    keys = [(row.baseline, row.variant) for row in rows[:6]]
    assert keys == [(b, v) for b in ("fp32", "fp16", "int8") for v in VARIANTS]
    assert keys == [(row.baseline, row.variant) for row in rows[12:]]


def test_total_is_evaluated_only_if_every_layer_is(make_network: Any, layer_dict: Any) -> None:
    mixed = make_network(layer_dict({}, name="a", exact_bits=8), layer_dict({}, name="b"))
    flags = {(r.baseline, r.variant): r.evaluated for r in reductions(mixed) if r.layer == "total"}
    assert not flags["int8", "exact_at_baseline"]
    assert not flags["fp32", "exact_at_baseline"]
    assert flags["int8", "as_evaluated"]
    same = make_network(layer_dict({}, name="a", exact_bits=8))
    flags = {(r.baseline, r.variant): r.evaluated for r in reductions(same) if r.layer == "total"}
    assert flags["int8", "exact_at_baseline"]


SELECTIONS = ["topk", "threshold", "channel", "random", "oracle"]
NOISES = ["approximation", "gaussian", "uniform", "zero", "resample"]


def with_block(injection: dict[str, Any]) -> dict[str, Any]:
    return {**injection, "selection": "4x2"}


ANY_SELECTION = st.fixed_dictionaries(
    {
        "weight_bits": st.sampled_from([2, 4, 8, 16, 32]),
        "input_bits": st.sampled_from([2, 4, 8, 16, 32]),
        "projected_bits": st.sampled_from([2, 4, 8, 16, 32]),
        "selection": st.sampled_from(SELECTIONS),
        "noise": st.sampled_from(NOISES),
        "nonzeros": st.integers(1, 2592),
        "measured_fraction": st.floats(0, 1),
    }
)
INJECTIONS = ANY_SELECTION | ANY_SELECTION.map(with_block)


@given(INJECTIONS, st.sampled_from([2, 4, 8, 16, 32]))
def test_overheads_never_help(make_layer: Any, injection: Any, exact_bits: int) -> None:
    layer = make_layer(injection, exact_bits=exact_bits)
    for baseline in BASELINES:
        for variant in VARIANTS:
            row = layer_reduction(layer, baseline, variant)
            assert row.reduction_with < row.reduction_without


@given(st.lists(INJECTIONS | st.none(), min_size=1, max_size=4))
def test_layers_add_up(make_network: Any, layer_dict: Any, injections: Any) -> None:
    layers = [layer_dict(injection, name=f"l{i}") for i, injection in enumerate(injections)]
    rows = reductions(make_network(*layers))
    for total in rows[-6:]:
        parts = [r for r in rows[:-6] if (r.baseline, r.variant) == (total.baseline, total.variant)]
        assert total.dense_bitops == sum(part.dense_bitops for part in parts)
        assert total.bitops_with == pytest.approx(sum(part.bitops_with for part in parts))
        assert total.bitops_without == pytest.approx(sum(part.bitops_without for part in parts))


@given(st.floats(0, 1), st.sampled_from(sorted(BASELINES)))
def test_inverted_costs_what_topk_costs(make_layer: Any, fraction: float, baseline: str) -> None:
    rows = [
        layer_reduction(
            make_layer({"selection": name, "measured_fraction": fraction}), baseline, variant
        )
        for name in ("topk", "inverted")
        for variant in VARIANTS
    ]
    assert rows[:2] == rows[2:]


@given(st.floats(0, 1), st.sampled_from(sorted(BASELINES)))
def test_oracle_saves_nothing(make_layer: Any, fraction: float, baseline: str) -> None:
    layer = make_layer({"selection": "oracle", "measured_fraction": fraction})
    row = layer_reduction(layer, baseline, "exact_at_baseline")
    assert row.reduction_with < row.reduction_without < 0


def test_random_still_pays_for_the_approximation(make_layer: Any) -> None:
    random = make_layer({"selection": "random"})
    assert layer_reduction(random, "fp32", "as_evaluated").bitops_with == (
        451_584 * 1024 + APPROXIMATION + OVERHEADS - 244_608
    )


@pytest.mark.parametrize("noise", NOISES)
def test_all_exact_costs_what_dense_costs(make_layer: Any, noise: str) -> None:
    everything = make_layer({"selection": "all", "measured_fraction": 1.0, "noise": noise})
    row = layer_reduction(everything, "fp32", "as_evaluated")
    assert row.bitops_with == row.bitops_without == dense_bitops(everything, 32)
    assert row.reduction_with == 0


@given(ANY_SELECTION | ANY_SELECTION.map(with_block), st.sampled_from(["gaussian", "uniform"]))
def test_noise_added_to_exact_values_saves_nothing(
    make_layer: Any, injection: Any, noise: str
) -> None:
    row = layer_reduction(make_layer({**injection, "noise": noise}), "int8", "exact_at_baseline")
    assert row.reduction_with < 0
    assert row.reduction_without <= 0


def test_hand_computed_gaussian_noise(make_layer: Any) -> None:
    """At INT8 exact values have 8 + 8 + 8 bits; 0.75 of 6272 neurons get noise."""
    layer = make_layer({"noise": "gaussian", "measured_fraction": 0.25})
    row = layer_reduction(layer, "int8", "exact_at_baseline")
    assert row.bitops_without == 903_168 * 64 + APPROXIMATION
    assert row.bitops_with == row.bitops_without + OVERHEADS + 4_704 * 24


def test_zero_noise_without_a_score_is_the_exact_part_alone(make_layer: Any) -> None:
    random = make_layer({"selection": "random", "noise": "zero", "measured_fraction": 0.25})
    row = layer_reduction(random, "fp32", "as_evaluated")
    assert row.bitops_without == 225_792 * 1024
    assert row.bitops_with == row.bitops_without + 6_272
    scored = layer_reduction(make_layer({"noise": "zero"}), "fp32", "as_evaluated")
    assert scored.bitops_with == 451_584 * 1024 + APPROXIMATION + OVERHEADS


@given(ANY_SELECTION, st.integers(1, 50))
def test_resampling_costs_what_one_approximation_costs(
    make_layer: Any, injection: Any, pool: int
) -> None:
    one, many = (
        layer_reduction(make_layer({**injection, **changes}), "fp32", "as_evaluated")
        for changes in ({"noise": "approximation"}, {"noise": "resample", "pool": pool})
    )
    assert one == many


def test_nothing_exact_leaves_approximation_and_projection(make_layer: Any) -> None:
    layer = make_layer({"selection": "none", "measured_fraction": 0.0})
    row = layer_reduction(layer, "fp32", "as_evaluated")
    assert row.bitops_without == APPROXIMATION
    assert row.bitops_with == APPROXIMATION + 1_693_440 + 64_288
    assert row.bitops_with == sum(term.bitops for term in layer_terms(layer, 32))
