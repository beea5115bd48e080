from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from injection_cases import TRIVIAL

from hwmodel import op_count
from hwmodel.hypothetical import injected, read_granularity
from hwmodel.network_spec import Network
from hwmodel.op_count import Operations

TAP = {"projection": "tap_shared", "k": 18, "k_c": 2, "nonzeros": 3}


PCA = {**TAP, "projection": "tap_shared_pca"}


JUDGING = ["topk", "threshold", "1:4", "4x2", "channel", "inverted"]


OTHER = ["oracle", "random", "all", "none"]


NOISES = ["approximation", "gaussian", "uniform", "zero", "resample"]


def combined(selection: str, noise: str) -> dict[str, Any]:
    """An injection of this selection and noise, a quarter essential where that is free."""
    return {
        "selection": selection,
        "measured_fraction": TRIVIAL.get(selection, 0.25),
        "noise": noise,
    }


GROUPED = {
    "in_channels": 8,
    "out_channels": 12,
    "groups": 2,
    "in_size": [5, 5],
    "stride": [1, 1],
}


def test_dense_macs(make_layer: Any, linear_layer: Any) -> None:
    assert op_count.dense_macs(make_layer()) == 196 * 32 * 144
    assert op_count.dense_macs(make_layer(None, groups=4)) == 196 * 32 * 36
    assert op_count.dense_macs(linear_layer()) == 640
    assert op_count.dense_macs(linear_layer(in_size=[1, 5])) == 3200


def test_input_positions(make_layer: Any) -> None:
    assert make_layer().input_positions == 784
    assert make_layer(None, kernel_size=[1, 1], padding=[0, 0]).input_positions == 196
    # Two rows and columns of outputs; the first of each starts in the padding.
    assert make_layer(None, stride=[14, 14]).input_positions == 5 * 5
    wide = make_layer(None, stride=[14, 14], kernel_size=[3, 5], padding=[1, 2])
    assert wide.input_positions == 5 * 8
    apart = make_layer(None, stride=[14, 14], padding=[0, 0], dilation=[2, 1])
    assert apart.input_positions == 6 * 6


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"nonzeros": 864}, Operations(additions=196 * 864)),
        ({"nonzeros": 5}, Operations(additions=980)),
        ({**TAP, "nonzeros": 7}, Operations(additions=784 * 7)),
        ({"projection": "gaussian", "nonzeros": 2592}, Operations(macs=196 * 18 * 144)),
        ({**PCA, "nonzeros": 32}, Operations(macs=784 * 2 * 16)),
        ({**PCA, "nonzeros": 7}, Operations(macs=784 * 2 * 16)),
        ({"projection": "count_sketch", "nonzeros": 144}, Operations(additions=196 * 144)),
    ],
)
def test_projection(make_layer: Any, changes: Any, expected: Operations) -> None:
    layer = make_layer(changes)
    assert op_count.projection(layer, layer.injection) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"k": 6, "nonzeros": 50}, Operations(additions=25 * 50 * 2)),
        (TAP, Operations(additions=25 * 3 * 2)),
        (PCA, Operations(macs=25 * 2 * 4 * 2)),
        ({"projection": "gaussian", "k": 6, "nonzeros": 216}, Operations(macs=25 * 6 * 36 * 2)),
        (
            {"projection": "count_sketch", "k": 6, "nonzeros": 36},
            Operations(additions=25 * 36 * 2),
        ),
    ],
)
def test_projection_of_every_group_counts(
    make_layer: Any, changes: Any, expected: Operations
) -> None:
    layer = make_layer(changes, **GROUPED)
    assert op_count.projection(layer, layer.injection) == expected


@given(
    size=st.integers(1, 12), stride=st.integers(1, 4), kernel=st.sampled_from([1, 3, 5]),
    k_c=st.integers(1, 16),
)  # fmt: skip
def test_learned_projection_multiplies_every_entry_at_every_position_read(
    make_layer: Any, size: int, stride: int, kernel: int, k_c: int
) -> None:
    pca = {"projection": "tap_shared_pca", "k": k_c * kernel**2, "k_c": k_c, "nonzeros": 1}
    shape = {"in_size": [size, size], "stride": [stride] * 2, "kernel_size": [kernel] * 2}
    layer = make_layer(pca, padding=[kernel // 2] * 2, **shape)
    starts = range(-(kernel // 2), size - kernel // 2, stride)
    read = {start + tap for start in starts for tap in range(kernel)} & set(range(size))
    expected = len(read) ** 2 * k_c * 16
    assert op_count.projection(layer, layer.injection) == Operations(macs=expected)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("selection", JUDGING + OTHER)
def test_approximation_is_computed_only_where_it_is_used(
    make_layer: Any, selection: str, noise: str
) -> None:
    layer = make_layer(combined(selection, noise))
    needed = {
        "oracle": noise in ("approximation", "resample"),
        "random": noise in ("approximation", "resample"),
        "none": noise in ("approximation", "resample"),
        "all": False,
    }.get(selection, True)
    injection = layer.injection
    assert op_count.needs_approximation(injection) is needed
    approximation = op_count.approximation(layer, injection)
    assert approximation == Operations(macs=112_896 if needed else 0)
    projection = op_count.projection(layer, injection)
    assert projection == Operations(additions=169_344 if needed else 0)
    assert op_count.input_roundings(layer, injection, 32) == (12_544 if needed else 0)
    assert op_count.projected_roundings(layer, injection, 10) == (3_528 if needed else 0)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("selection", JUDGING + OTHER)
def test_exact_part_of_every_combination(make_layer: Any, selection: str, noise: str) -> None:
    """Of 903168 MACs and 6272 neurons: random noise needs all, as do the oracle and ``all``."""
    layer = make_layer(combined(selection, noise))
    added = noise in ("gaussian", "uniform")
    share = TRIVIAL.get(selection, 0.25)
    computed = 1 if added or selection == "oracle" else share
    assert op_count.exact_part(layer, layer.injection) == Operations(macs=computed * 903_168)
    additions = {0.25: 4_704, 1.0: 0, 0.0: 6_272}[share] if added else 0
    assert op_count.noise(layer, layer.injection) == Operations(additions=additions)


def test_approximation_counts_all_groups_once(make_layer: Any) -> None:
    layer = make_layer({})
    assert op_count.approximation(layer, layer.injection) == Operations(macs=196 * 32 * 18)
    grouped = make_layer(TAP, **GROUPED)
    assert op_count.approximation(grouped, grouped.injection) == Operations(macs=25 * 12 * 18)


def test_roundings(make_layer: Any) -> None:
    layer = make_layer({})
    assert op_count.input_roundings(layer, layer.injection, exact_bits=32) == 16 * 784
    assert op_count.input_roundings(layer, layer.injection, exact_bits=5) == 16 * 784
    assert op_count.input_roundings(layer, layer.injection, exact_bits=4) == 0
    assert op_count.projected_roundings(layer, layer.injection, sum_bits=10) == 196 * 18
    assert op_count.projected_roundings(layer, layer.injection, sum_bits=4) == 0


def test_projected_values_are_per_group_and_shared_between_taps(make_layer: Any) -> None:
    sparse = make_layer({"k": 6, "nonzeros": 50}, **GROUPED)
    assert op_count.projected_values(sparse, sparse.injection) == 25 * 6 * 2
    shared = make_layer(TAP, **GROUPED)
    assert op_count.projected_values(shared, shared.injection) == 25 * 2 * 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"selection": "topk"}, Operations(comparisons=3 * 6272)),
        ({"selection": "inverted"}, Operations(comparisons=3 * 6272)),
        ({"selection": "oracle"}, Operations(comparisons=3 * 6272)),
        ({"selection": "topk", "algorithm": "bisection"}, Operations(comparisons=13 * 6272)),
        ({"selection": "threshold"}, Operations(comparisons=6272)),
        ({"selection": "2:4"}, Operations(comparisons=1.5 * 6272)),
        ({"selection": "4:8"}, Operations(comparisons=3.5 * 6272)),
        ({"normalise": True}, Operations(macs=6272, comparisons=3 * 6272)),
        ({"selection": "random", "normalise": True}, Operations()),
        ({"selection": "4x4"}, Operations(additions=6272)),
        ({"selection": "channel"}, Operations(additions=6272)),
        ({"selection": "random"}, Operations()),
        ({"selection": "all", "measured_fraction": 1.0}, Operations()),
        ({"selection": "none", "measured_fraction": 0.0}, Operations()),
    ],
)
def test_selection(make_layer: Any, changes: Any, expected: Operations) -> None:
    layer = make_layer(changes)
    assert op_count.selection(layer, layer.injection, score_bits=13) == expected


@pytest.mark.parametrize(
    ("selection", "measured", "share"),
    [
        ("topk", 0.25, 0.25),
        ("inverted", 0.25, 0.25),
        ("oracle", 0.25, 1.0),
        ("all", 1.0, 1.0),
        ("none", 0.0, 0.0),
    ],
)
def test_exact_part_uses_the_measured_fraction(
    make_layer: Any, selection: str, measured: float, share: float
) -> None:
    layer = make_layer({"selection": selection, "measured_fraction": measured, "fraction": 0.75})
    assert op_count.exact_part(layer, layer.injection) == Operations(macs=share * 903_168)


@pytest.mark.parametrize(
    ("selection", "measured", "bits"),
    [("topk", 0.5, 6272), ("random", 0.5, 6272), ("all", 1.0, 0), ("none", 0.0, 0)],
)
def test_mask(make_layer: Any, selection: str, measured: float, bits: int) -> None:
    layer = make_layer({"selection": selection, "measured_fraction": measured})
    assert op_count.mask(layer, layer.injection) == Operations(mask_bits=bits)


def ratios(layer: Any) -> list[float]:
    """Additions of P per dense MAC, with the expected third of its entries non-zero."""
    network = Network(
        version=3, model="three", input_shape=(1, 1, 1),
        layers=tuple(layer.model_copy(update={"name": name}) for name in ("first", "it", "last")),
    )  # fmt: skip
    found = []
    for projection in ("ternary", "ternary:shared"):
        chosen = injected(
            network, projection=projection, ratio=1 / 8, fraction=0.5,  # type: ignore[arg-type]
            granularity=read_granularity("1x1"),
        ).layers[1]  # fmt: skip
        found.append(op_count.projection(chosen, chosen.injection).additions)
    return [additions / op_count.dense_macs(layer) for additions in found]


def test_additions_per_dense_mac_at_an_eighth(make_layer: Any) -> None:
    """The closed forms of the cost protocol's table at k = d/8."""
    same = {"in_channels": 64, "out_channels": 64, "stride": [1, 1], "in_size": [32, 32]}
    sparse, shared = ratios(make_layer(**same))
    assert sparse == 0.375
    assert shared == pytest.approx(0.0046, abs=5e-5)
    assert sparse / shared == pytest.approx(81, rel=0.005)

    doubling = {"in_channels": 64, "out_channels": 128, "in_size": [32, 32]}
    sparse, shared = ratios(make_layer(**doubling))
    assert sparse == 0.1875
    assert shared == pytest.approx(0.0093, abs=5e-5)
    assert sparse / shared == pytest.approx(20.25, rel=0.005)

    pointwise = {"kernel_size": [1, 1], "padding": [0, 0], **same}
    sparse, shared = ratios(make_layer(**pointwise))
    assert sparse == shared == pytest.approx(1 / 24, rel=0.005)


@given(size=st.integers(1, 40), step=st.integers(1, 3))
def test_counts_grow_with_the_input(make_layer: Any, size: int, step: int) -> None:
    small = make_layer({}, in_size=[size, size])
    large = make_layer({}, in_size=[size + step, size])
    assert op_count.dense_macs(small) <= op_count.dense_macs(large)
    ranking = partial(op_count.selection, score_bits=13)
    for term in (op_count.projection, ranking, op_count.mask, op_count.approximation):
        few, many = term(small, small.injection), term(large, large.injection)
        assert few.macs <= many.macs
        assert few.additions <= many.additions
        assert few.comparisons <= many.comparisons
        assert few.mask_bits <= many.mask_bits
