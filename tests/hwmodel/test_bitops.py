from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel import bitops
from hwmodel.bitops import Term

BITS = [2, 3, 4, 5, 6, 7, 8, 16, 32]


def by_term(layer: Any, exact_bits: int | None = None) -> dict[str, Term]:
    terms = bitops.layer_terms(layer, exact_bits or layer.exact_bits)
    return {term.term: term for term in terms}


def test_hand_computed_example(make_layer: Any) -> None:
    """M = 196, n = 32, d = 144, k = 18; 48 non-zeros a row: sums of 4 + 6 bits, scores of 13."""
    terms = bitops.layer_terms(make_layer({}), 32)
    assert terms == (
        Term("conv", "exact", 451_584, 0, 0, 0, "32x32", 451_584 * 1024),
        Term("conv", "approximation", 112_896, 0, 0, 0, "4x4", 112_896 * 16),
        Term("conv", "projection", 0, 169_344, 0, 0, "10", 1_693_440),
        Term("conv", "rounding", 0, 0, 0, 12_544 + 3_528, "4+4", 64_288),
        Term("conv", "selection", 0, 0, 18_816, 0, "13", 244_608),
        Term("conv", "mask", 0, 0, 0, 0, "1", 6_272),
    )


def test_layer_without_injection_has_its_exact_term_alone(make_layer: Any) -> None:
    terms = bitops.layer_terms(make_layer(exact_bits=8), 8)
    assert terms == (Term("conv", "exact", 903_168, 0, 0, 0, "8x8", 903_168 * 64),)


def test_gaussian_projection_multiplies_at_32_bits(make_layer: Any) -> None:
    terms = by_term(make_layer({"projection": "gaussian", "nonzeros": 2592, "input_bits": 8}))
    assert terms["projection"].bits == "32x8"
    assert terms["projection"].bitops == 196 * 18 * 144 * 32 * 8
    assert terms["projection"].additions == 0
    assert terms["rounding"].roundings == 12_544 + 3_528


def test_learned_projection_multiplies_channels_at_32_bits(make_layer: Any) -> None:
    """784 input positions, 2 x 16 entries; real sums are rounded to 4 bits at each position."""
    pca = {"projection": "tap_shared_pca", "k_c": 2, "nonzeros": 31}
    terms = by_term(make_layer(pca))
    assert terms["projection"] == Term(
        "conv", "projection", 25_088, 0, 0, 0, "32x4", 25_088 * 32 * 4
    )
    assert terms["approximation"].macs == 112_896
    assert terms["rounding"].bitops == (12_544 + 1_568) * 4
    barely_rounded = by_term(make_layer({**pca, "projected_bits": 16}))
    assert barely_rounded["rounding"].roundings == 12_544 + 1_568
    unrounded = by_term(make_layer({**pca, "projected_bits": 32}))
    assert unrounded["rounding"].roundings == 12_544


@pytest.mark.parametrize("noise", ["gaussian", "uniform"])
def test_hand_computed_noise_on_exact_values(make_layer: Any, noise: str) -> None:
    """All 903168 MACs, and a quarter of 6272 neurons gets noise, at 32 bits or 8 + 8 + 8."""
    plain = make_layer({"measured_fraction": 0.75})
    layer = make_layer({"measured_fraction": 0.75, "noise": noise})
    exact, *overheads, added = bitops.layer_terms(layer, 32)
    assert exact == bitops.exact_term(make_layer(), 32)
    assert tuple(overheads) == bitops.layer_terms(plain, 32)[1:]
    assert added == Term("conv", "noise", 0, 1_568, 0, 0, "32", 1_568 * 32)
    assert by_term(layer, 8)["noise"].bitops == 1_568 * 24


@pytest.mark.parametrize("noise", ["zero", "resample"])
def test_other_noise_on_a_judged_layer_costs_what_the_approximation_costs(
    make_layer: Any, noise: str
) -> None:
    assert bitops.layer_terms(make_layer({"noise": noise}), 32) == bitops.layer_terms(
        make_layer({}), 32
    )


def test_injected_layer_is_costed_at_the_exact_bits_that_were_evaluated(
    make_network: Any, layer_dict: Any
) -> None:
    """Half of 903168 MACs at 8 x 8; inputs that the exact path has at 8 bits are not rounded."""
    injection = {"input_bits": 8, "noise": "gaussian", "measured_fraction": 0.5}
    network = make_network(
        layer_dict({}, name="a", exact_bits=8),
        layer_dict(injection, name="b", exact_bits=8),
    )
    terms = {(term.layer, term.term): term for term in bitops.count_operations(network)}
    assert terms["a", "exact"] == Term("a", "exact", 451_584, 0, 0, 0, "8x8", 451_584 * 64)
    assert terms["a", "rounding"].roundings == 12_544 + 3_528
    assert terms["b", "exact"] == Term("b", "exact", 903_168, 0, 0, 0, "8x8", 903_168 * 64)
    assert terms["b", "rounding"].roundings == 3_528
    assert terms["b", "noise"].bitops == 3_136 * 24


def test_roundings_count_the_bits_they_yield(make_layer: Any) -> None:
    terms = by_term(make_layer({"input_bits": 8, "projected_bits": 3}))
    assert terms["rounding"].bits == "8+3"
    assert terms["rounding"].bitops == 12_544 * 8 + 3_528 * 3


def test_block_scores_are_additions_at_the_width_of_the_scores(make_layer: Any) -> None:
    terms = by_term(make_layer({"selection": "4x2"}))
    assert (terms["selection"].additions, terms["selection"].bitops) == (6272, 6272 * 13)


def test_oracle_compares_exact_scores(make_layer: Any) -> None:
    scaled = by_term(make_layer({"normalise": True}))["selection"]
    assert scaled.bitops == 244_608 + 6272 * 13 * 13
    layer = make_layer({"selection": "oracle"})
    assert by_term(layer, 8)["selection"].bits == "24"
    assert by_term(layer, 32)["selection"].bits == "32"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"nonzeros": 18 * 64}, 10),
        ({"nonzeros": 18 * 64 + 1}, 11),
        ({"nonzeros": 1}, 5),
        ({"nonzeros": 18}, 5),
        ({"nonzeros": 37}, 6),
        ({"input_bits": 32}, 32),
        ({"input_bits": 16}, 22),
        ({"projection": "tap_shared", "k_c": 2, "nonzeros": 32}, 8),
        ({"projection": "gaussian"}, 32),
        ({"projection": "tap_shared_pca", "k_c": 2, "nonzeros": 32}, 32),
        ({"projection": "count_sketch", "nonzeros": 144}, 7),
    ],
)
def test_width_of_the_sums(make_layer: Any, changes: Any, expected: int) -> None:
    assert bitops.sum_bits(make_layer(changes).injection) == expected


def test_conventions_change_macs_alone(make_layer: Any) -> None:
    """903,168 / 2 and 112,896 MACs of 144 and 18 products; the other terms have none."""
    layer = make_layer({}, exact_bits=8)
    product = bitops.layer_terms(layer, 8)
    for metric, exact, approximation in (("sum", 16, 8), ("accumulators", 64 + 24, 16 + 13)):
        terms = bitops.layer_terms(layer, 8, metric)
        assert [t.bitops for t in terms[:2]] == [451_584 * exact, 112_896 * approximation]
        assert terms[2:] == product[2:]
        assert bitops.dense_bitops(layer, 8, metric) == 903_168 * exact
    real = make_layer({"projection": "gaussian", "nonzeros": 2592, "normalise": True}, exact_bits=8)
    terms = {t.term: t for t in bitops.layer_terms(real, 8, "sum")}
    assert terms["projection"].bitops == 196 * 18 * 144 * (32 + 4)
    assert terms["selection"].bitops == 18_816 * 13 + 6_272 * (13 + 13)


def test_count_operations_goes_through_all_layers(
    make_network: Any, layer_dict: Any, make_layer: Any
) -> None:
    network = make_network(layer_dict(None, name="a", exact_bits=8), layer_dict({}, name="b"))
    terms = bitops.count_operations(network)
    expected = [*bitops.layer_terms(network.layers[0], 8)]
    expected += bitops.layer_terms(network.layers[1], 32)
    assert terms == expected
    assert [term.layer for term in terms] == ["a"] + ["b"] * 6


@given(st.sampled_from(BITS), st.sampled_from(BITS))
def test_terms_grow_with_bits(make_layer: Any, one: int, other: int) -> None:
    few, many = sorted((one, other))
    for key, term in (
        ("weight_bits", "approximation"),
        ("weight_bits", "selection"),
        ("projected_bits", "approximation"),
        ("projected_bits", "selection"),
        ("input_bits", "projection"),
    ):
        small, large = (by_term(make_layer({key: bits}))[term] for bits in (few, many))
        assert small.bitops <= large.bitops
    layer = make_layer({})
    cheap, dear = by_term(layer, few), by_term(layer, many)
    assert all(cheap[name].bitops <= dear[name].bitops for name in cheap)
    assert (cheap["exact"].bitops == dear["exact"].bitops) == (few == many)


@given(st.floats(0, 1), st.floats(0, 1))
def test_exact_term_grows_with_the_fraction_and_nothing_else_does(
    make_layer: Any, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    few, many = (by_term(make_layer({"measured_fraction": f})) for f in (low, high))
    assert few["exact"].bitops <= many["exact"].bitops
    assert {**few, "exact": None} == {**many, "exact": None}


def test_limits_of_the_fraction(make_layer: Any) -> None:
    nothing = by_term(make_layer({"measured_fraction": 0.0}))
    everything = by_term(make_layer({"measured_fraction": 1.0}))
    assert nothing["exact"].bitops == 0
    assert everything["exact"].bitops == bitops.dense_bitops(make_layer(), 32)
