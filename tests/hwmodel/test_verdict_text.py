"""What the screen says: of a gain, a loss, a range that holds both, and of what is not there."""

from typing import Any

import pytest

import hwmodel
from hwmodel.assumptions import Assumption
from hwmodel.comparison import (
    Comparison,
    Cost,
    Deciding,
    Row,
    compare,
)
from hwmodel.described import AS_DESCRIBED
from hwmodel.network_spec import Network
from hwmodel.ranges import Flip, Interval
from hwmodel.verdict_text import sentences, verdict, worth

TABLE = hwmodel.load_energy_table("horowitz_45nm")


def method(speedup: tuple[float, ...], saved: tuple[float, ...], *flips: Flip) -> Row:
    return Row(AS_DESCRIBED, Cost(1.0, 1.0), Interval(*speedup), Interval(*saved), 1.1, flips)


@pytest.mark.parametrize(
    ("speedup", "saved", "says"),
    [
        ((1.5, 1.2, 2.0), (0.2, 0.1, 0.3), "Worth building by this model: faster and less energy"),
        ((0.5, 0.2, 0.9), (-0.2, -0.3, -0.1), "Not worth building by this model: slower and more"),
        ((1.5, 1.2, 2.0), (-0.2, -0.3, -0.1), "By this model: faster; more energy."),
        ((1.5, 0.9, 2.0), (0.2, 0.1, 0.3), "faster as assumed, though the range holds both; less"),
        (
            (0.9, 0.5, 1.1),
            (-0.1, -0.3, 0.2),
            "slower as assumed, though the range holds both; more",
        ),
    ],
)
def test_one_sentence(speedup: Any, saved: Any, says: str) -> None:
    assert says in worth(method(speedup, saved))


def test_rivals_and_flips_are_named() -> None:
    overhead = Assumption("preset", ("overhead_s",), 1e-5, (2e-6,))
    skips = Assumption("preset", ("skips_zeros",), False, (True,))
    flips = Flip(overhead, 2e-6, 1.25), Flip(skips, True, 1.125)
    rows = (
        method((0.9, 0.8, 1.3), (0.1, 0.0, 0.2), *flips),
        Row("dense INT4", Cost(0.5, 0.5), Interval(2.0, 2.0, 2.0), Interval(0.5, 0.5, 0.5)),
        Row("dense FP16", Cost(2.0, 0.5), Interval(0.5, 0.5, 0.5), Interval(0.5, 0.5, 0.5)),
        Row("2:4 weights INT8", lacks="no multipliers that skip them"),
    )
    _, rivals, time, energy = sentences(Comparison(Cost(1.0, 1.0), rows, (), (overhead, skips)))
    assert rivals == "At least as fast and thrifty as it, and more so in one: dense INT4."
    assert "overhead_s = 2e-06 (taken: 1e-05): 1.25 times as fast" in time
    assert "skips_zeros = true (taken: false): 1.12 times as fast" in time
    assert energy == "No assumption by itself turns the sign of the energy."


@pytest.mark.long
@pytest.mark.parametrize("name", hwmodel.preset_names())
def test_it_is_one_screen(make_network: Any, layer_dict: Any, name: str) -> None:
    layers = [
        layer_dict({"selection": "topk"}, name=f"layer{i}", exact_bits=8, out_channels=64 + i)
        for i in range(16)
    ]
    network: Network = make_network(layer_dict(None, name="first", exact_bits=8), *layers)
    compared = compare(network, hwmodel.load_preset(name), TABLE)
    text = verdict(network, name, compared, 1, {AS_DESCRIBED: 0.615})
    assert len(text.splitlines()) <= 40
    (line,) = (line for line in text.splitlines() if line.startswith(AS_DESCRIBED))
    assert line.endswith("61.5 %")
    assert text.count("not measured") >= len(compared.rows) - 1
    assert sum(line.startswith("layer") for line in text.splitlines()) == 6  # with its header


def test_without_an_injection_there_is_nothing_to_build(plain: Network) -> None:
    compared = compare(plain, hwmodel.load_preset("edge_npu"), TABLE)
    assert (
        next(sentences(compared))
        == "No layer has an injection or another defence: there is nothing to build."
    )


def test_another_defence_is_judged_by_its_name() -> None:
    rows = (
        Row("k_wta", Cost(4.0, 4.0), Interval(0.2, 0.1, 0.3), Interval(-3.0, -4.0, -2.0)),
        Row("k_wta at INT8", Cost(1.5, 1.5), Interval(0.6, 0.5, 0.7), Interval(-0.5, -0.6, -0.4)),
        Row("dense INT4", Cost(0.5, 0.5), Interval(2.0, 2.0, 2.0), Interval(0.5, 0.5, 0.5)),
    )
    compared = Comparison(Cost(1.0, 1.0), rows, (), (), own=("k_wta", "k_wta at INT8"))
    first, rivals, *_ = sentences(compared)
    assert first.startswith("k_wta at INT8. Not worth building by this model")
    assert rivals == "At least as fast and thrifty as it, and more so in one: dense INT4."
    lacking = Comparison(Cost(1.0, 1.0), (Row("k_wta", lacks="x"),), (), (), own=("k_wta",))
    assert list(sentences(lacking)) == ["The platform cannot run k_wta: x."]


def test_a_method_that_cannot_run() -> None:
    compared = Comparison(Cost(1.0, 1.0), (Row(AS_DESCRIBED, lacks="no multipliers"),), (), ())
    assert list(sentences(compared)) == ["The platform cannot run the method: no multipliers."]


def test_layers_are_given_in_the_order_of_what_they_change(plain: Network) -> None:
    deciding = (Deciding("a", 2, -0.5, 1e6), Deciding("b", 1, 0.25, -2e6))
    compared = Comparison(Cost(1.0, 1.0), (), deciding, ())
    text = verdict(plain, "here", compared)
    assert "-50.0 %" in text
    assert text.index("-50.0 %") < text.index("+25.0 %")
