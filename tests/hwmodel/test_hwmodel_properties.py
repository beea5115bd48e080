"""What must hold of the whole model, whatever the layer: monotone, additive, right at its limits."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import hwmodel
from hwmodel import bitops, energy_estimate
from hwmodel.injection_spec import Noise, Selection, Tile
from hwmodel.layer_latency import layer_latency
from hwmodel.layer_spec import Layer
from hwmodel.metrics import METRICS, Metric
from hwmodel.network_spec import Network
from hwmodel.preset import Preset
from hwmodel.variants import at_bits, at_fraction

BITS = [2, 3, 4, 5, 6, 7, 8, 16, 32]
TABLE = hwmodel.load_energy_table("horowitz_45nm")
PRESETS = {name: hwmodel.load_preset(name) for name in hwmodel.preset_names()}
RELATIVE = 1 + 1e-9

SELECTIONS = ("topk", "threshold", "random", "channel", "inverted")
PROJECTIONS = ("sparse", "tap_shared", "tap_shared_pca", "gaussian", "count_sketch")


@st.composite
def injections(draw: st.DrawFn, channels: int, area: int) -> dict[str, Any]:
    projection = draw(st.sampled_from(PROJECTIONS))
    is_shared = projection.startswith("tap_shared")
    rows = draw(st.integers(1, channels))
    entries = rows * channels if is_shared else rows * channels * area
    nonzeros = draw(st.integers(1, entries))
    fixed = {"count_sketch": channels * area, "gaussian": entries, "tap_shared_pca": entries}
    blocks = st.builds("{}x{}".format, st.integers(1, 20), st.integers(1, 9))
    return {
        "projection": projection,
        "k": rows * area if is_shared else rows,
        "k_c": rows if is_shared else None,
        "nonzeros": fixed.get(projection, nonzeros),
        "weight_bits": draw(st.sampled_from(BITS)),
        "input_bits": draw(st.sampled_from(BITS)),
        "projected_bits": draw(st.sampled_from(BITS)),
        "selection": draw(st.sampled_from(SELECTIONS) | blocks),
        "measured_fraction": draw(st.floats(0, 1)),
        "normalise": draw(st.booleans()),
        "noise": draw(st.sampled_from(["approximation", "zero", "gaussian"])),
    }  # fmt: skip


@st.composite
def injected_layers(draw: st.DrawFn, make_layer: Any) -> Layer:
    channels, kernel = draw(st.integers(1, 40)), draw(st.sampled_from([1, 3]))
    size = draw(st.integers(3, 20))
    layer: Layer = make_layer(
        draw(injections(channels, kernel**2)),
        in_channels=channels, out_channels=draw(st.integers(1, 80)), kernel_size=[kernel] * 2,
        stride=[draw(st.integers(1, 2))] * 2, in_size=[size, size],
        exact_bits=draw(st.sampled_from([8, 16, 32])),
    )  # fmt: skip
    return layer


def counted(layer: Layer, metric: Metric = "product") -> float:
    return sum(term.bitops for term in bitops.layer_terms(layer, layer.exact_bits, metric))


def joules(layer: Layer, preset: Preset, batch: int = 1) -> float | None:
    found = energy_estimate.injected_energy(layer, TABLE, preset, batch)
    return None if found is None else found.total_pj


def seconds(layer: Layer, preset: Preset, batch: int = 1) -> float | None:
    return layer_latency(layer, preset, batch).injected_s


def changed(layer: Layer, **changes: Any) -> Layer:
    assert layer.injection is not None
    return layer.model_copy(update={"injection": layer.injection.model_copy(update=changes)})


def grows(small: float | None, large: float | None) -> bool:
    """None: wider than the platform multiplies, which is no less."""
    return large is None or (small is not None and small <= large * RELATIVE)


@given(data=st.data(), preset=st.sampled_from(sorted(PRESETS)), batch=st.sampled_from([1, 7]))
def test_more_essential_neurons_cost_more(
    data: st.DataObject, make_layer: Any, preset: str, batch: int
) -> None:
    layer = data.draw(injected_layers(make_layer))
    low, high = sorted((data.draw(st.floats(0, 1)), data.draw(st.floats(0, 1))))
    few, many = at_fraction(layer, low), at_fraction(layer, high)
    for metric in METRICS:
        if layer.injection is not None and layer.injection.noise.uses != "exact":
            assert grows(counted(few, metric), counted(many, metric))
    platform = PRESETS[preset]
    if layer.injection is not None and layer.injection.noise.uses != "exact":
        assert grows(joules(few, platform), joules(many, platform))
        assert grows(seconds(few, platform, batch), seconds(many, platform, batch))


@given(data=st.data(), preset=st.sampled_from(sorted(PRESETS)))
def test_more_bits_cost_more(data: st.DataObject, make_layer: Any, preset: str) -> None:
    layer = data.draw(injected_layers(make_layer))
    narrow, wide = sorted((data.draw(st.sampled_from(BITS)), data.draw(st.sampled_from(BITS))))
    pairs = [
        tuple(changed(layer, weight_bits=bits) for bits in (narrow, wide)),
        tuple(at_bits(layer, bits) for bits in (max(narrow, 8), max(wide, 8))),
    ]
    for few, many in pairs:
        for metric in METRICS:
            assert grows(counted(few, metric), counted(many, metric))
        assert grows(joules(few, PRESETS[preset]), joules(many, PRESETS[preset]))
        assert grows(seconds(few, PRESETS[preset]), seconds(many, PRESETS[preset]))


@given(
    data=st.data(), preset=st.sampled_from(sorted(PRESETS)),
    wider=st.integers(0, 30), larger=st.integers(0, 9),
)  # fmt: skip
def test_larger_layers_cost_more(
    data: st.DataObject, make_layer: Any, preset: str, wider: int, larger: int
) -> None:
    """More neurons, and a larger image; the method's P and masks stay."""
    small = data.draw(injected_layers(make_layer))
    assert small.injection is not None
    size = small.in_size[0] + larger
    large = make_layer(
        small.injection.model_dump(mode="json"),
        in_channels=small.in_channels, out_channels=small.out_channels + wider,
        kernel_size=small.kernel_size, stride=small.stride, in_size=[size, size],
        exact_bits=small.exact_bits,
    )  # fmt: skip
    for one, other in ((small, large), *[(
        small.model_copy(update={"injection": None}), large.model_copy(update={"injection": None})
    )]):  # fmt: skip
        for metric in METRICS:
            assert grows(counted(one, metric), counted(other, metric))
        assert grows(joules(one, PRESETS[preset]), joules(other, PRESETS[preset]))
        assert grows(seconds(one, PRESETS[preset]), seconds(other, PRESETS[preset]))


@given(
    data=st.data(), preset=st.sampled_from(sorted(PRESETS)), metric=st.sampled_from(METRICS),
    batch=st.integers(1, 9),
)  # fmt: skip
def test_layers_add_up(
    data: st.DataObject, make_layer: Any, preset: str, metric: Metric, batch: int
) -> None:
    layers = [
        data.draw(injected_layers(make_layer)).model_copy(update={"name": name}) for name in "abc"
    ]
    network = Network(version=4, model="any", input_shape=(1, 1, 1), layers=tuple(layers))
    *parts, total = hwmodel.latency(network, PRESETS[preset], batch)
    if total.injected_s is not None:
        assert total.injected_s == pytest.approx(sum(row.injected_s or 0 for row in parts))
    summed: dict[tuple[str, str], float] = {}
    for row in hwmodel.reductions(network, metric):
        key = (row.baseline, row.variant)
        if row.layer == "total":
            assert row.bitops_with == pytest.approx(summed[key])
        else:
            summed[key] = summed.get(key, 0.0) + row.bitops_with
    energies = hwmodel.energy(network, TABLE, PRESETS[preset], batch)
    for total in (row for row in energies if row.layer == "total"):
        each = [r for r in energies if r.bits == total.bits and r.layer != "total"]
        assert total.injected.total_pj == pytest.approx(sum(r.injected.total_pj for r in each))


@given(data=st.data(), preset=st.sampled_from(sorted(PRESETS)), batch=st.integers(1, 64))
def test_a_batch_moves_weights_once(
    data: st.DataObject, make_layer: Any, preset: str, batch: int
) -> None:
    """But for the rows that only some of the inputs need, where the buffer holds what it has to."""
    layer = data.draw(injected_layers(make_layer))
    ample = PRESETS[preset].model_copy(update={"buffer_bytes": None})
    network = Network(version=4, model="any", input_shape=(1, 1, 1), layers=(layer,))
    alone = hwmodel.movements(network, ample, 1)
    together = hwmodel.movements(network, ample, batch)
    assert [row.phase for row in alone] == [row.phase for row in together]
    for one, all_ in zip(alone, together, strict=True):
        assert all_.memory_inputs == pytest.approx(batch * one.memory_inputs)
        assert all_.memory_outputs == pytest.approx(batch * one.memory_outputs)
        if one.phase == "exact":
            assert one.memory_weights <= all_.memory_weights * RELATIVE
            assert all_.memory_weights <= batch * one.memory_weights * RELATIVE
        else:
            assert all_.memory_weights == one.memory_weights


@given(data=st.data(), preset=st.sampled_from(sorted(PRESETS)), metric=st.sampled_from(METRICS))
def test_limits(data: st.DataObject, make_layer: Any, preset: str, metric: Metric) -> None:
    """None essential: no exact part. All: dense, and the overheads on top."""
    noise = Noise(name="z~", uses="approximate")
    layer = changed(data.draw(injected_layers(make_layer)), noise=noise)
    plain = layer.model_copy(update={"injection": None})
    dense, bits = counted(plain, metric), layer.exact_bits
    none, everything = at_fraction(layer, 0.0), at_fraction(layer, 1.0)
    first = bitops.layer_terms(none, bits, metric)[0]
    assert (first.term, first.bitops) == ("exact", 0)
    assert layer_latency(none, PRESETS[preset]).exact_s in (0, None)
    exact, *overheads = bitops.layer_terms(everything, bits, metric)
    assert exact.bitops == dense
    assert sum(term.bitops for term in overheads) > 0
    platform = PRESETS[preset]
    more, less = joules(everything, platform), joules(plain, platform)
    assert more is None or (less is not None and more > less)
    time, dense_s = (seconds(each, PRESETS[preset]) for each in (everything, plain))
    assert time is None or (dense_s is not None and time > dense_s)
    alike = Selection(name="all", judges="nothing", tile=Tile(), adjustable=False)
    trivial = changed(layer, selection=alike, measured_fraction=1.0)
    assert counted(trivial, metric) == dense
    assert joules(trivial, platform) == pytest.approx(less)
    assert seconds(trivial, PRESETS[preset]) == dense_s


@st.composite
def plain_layers(draw: st.DrawFn, make_layer: Any) -> tuple[Layer, Layer]:
    """A convolution of any kind without injection, and one of more channels and positions."""
    kind = draw(st.sampled_from(["conv2d", "conv3d", "conv_transpose2d", "conv_transpose3d"]))
    axes = 3 if kind.endswith("3d") else 2
    groups, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    kernel = draw(st.lists(st.integers(1, 4), min_size=axes, max_size=axes))
    size = draw(st.lists(st.integers(4, 9), min_size=axes, max_size=axes))
    padding = draw(st.lists(st.tuples(*2 * [st.integers(0, 1)]), min_size=axes, max_size=axes))
    channels = draw(st.lists(st.integers(1, 20), min_size=2, max_size=2))

    def made(more: int) -> Layer:
        lengths = [length + more for length in size]
        found = zip(lengths, kernel, padding, strict=True)
        if "transpose" in kind:
            outputs = [
                max(1, (n - 1) * stride + k - before - after) for n, k, (before, after) in found
            ]
        else:
            outputs = [(n + before + after - k) // stride + 1 for n, k, (before, after) in found]
        layer: Layer = make_layer(
            None, kind=kind, kernel_size=kernel, stride=[stride] * axes, padding=padding,
            dilation=[1] * axes, groups=groups, in_channels=groups * channels[0],
            out_channels=groups * (channels[1] + more), in_size=lengths, out_size=outputs,
            exact_bits=8,
        )  # fmt: skip
        return layer

    assume(
        all(
            (n - 1) * stride + k - sum(p) >= 1
            for n, k, p in zip(size, kernel, padding, strict=True)
        )
    )
    return made(0), made(draw(st.integers(0, 5)))


@given(data=st.data(), preset=st.sampled_from(sorted(PRESETS)), batch=st.integers(1, 9))
def test_convolutions_of_every_kind_cost_more_with_size_bits_and_batch(
    data: st.DataObject, make_layer: Any, preset: str, batch: int
) -> None:
    """And a network of several of them what they cost together."""
    small, large = data.draw(plain_layers(make_layer))
    platform = PRESETS[preset]
    for one, other, inputs in (
        (small, large, (batch, batch)), (small, at_bits(small, 16), (batch, batch)),
        (at_bits(small, 4), small, (batch, batch)), (small, small, (batch, batch + 1)),
    ):  # fmt: skip
        assert grows(counted(one), counted(other))
        assert grows(joules(one, platform, inputs[0]), joules(other, platform, inputs[1]))
        assert grows(seconds(one, platform, inputs[0]), seconds(other, platform, inputs[1]))
    layers = tuple(x.model_copy(update={"name": n}) for n, x in (("a", small), ("b", large)))
    network = Network(version=4, model="any", input_shape=(1,), layers=layers)
    totals = [r for r in hwmodel.energy(network, TABLE, platform, batch) if r.layer == "total"]
    (at_8,) = [row.dense.total_pj for row in totals if row.bits == 8]
    assert at_8 == pytest.approx(sum(joules(x, platform, batch) or 0 for x in layers))
    latency = hwmodel.latency(network, platform, batch)[-1].injected_s
    assert latency == pytest.approx(sum(seconds(x, platform, batch) or 0 for x in layers))


@given(
    data=st.data(), preset=st.sampled_from(sorted(PRESETS)), batch=st.integers(1, 9),
    bits=st.sampled_from([8, 16]),
)  # fmt: skip
def test_more_inputs_cost_more(
    data: st.DataObject, make_layer: Any, preset: str, batch: int, bits: int
) -> None:
    layer = at_bits(data.draw(injected_layers(make_layer)), bits)
    platform = PRESETS[preset]
    assert grows(seconds(layer, platform, batch), seconds(layer, platform, batch + 1))
    assert grows(joules(layer, platform, batch), joules(layer, platform, batch + 1))
