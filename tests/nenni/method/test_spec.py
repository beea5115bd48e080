from collections.abc import Callable
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.core.types import Bits
from nenni.method.injection import inject, injectable, noisy_layers, set_fractions
from nenni.method.noise.approximation import Approximation
from nenni.method.noise.zero import Zero
from nenni.method.projection.sparse import Sparse
from nenni.method.projection.tap_shared import TapShared
from nenni.method.selection.n_m import NM
from nenni.method.selection.threshold import Threshold
from nenni.method.selection.topk import TopK
from nenni.method.spec import Choices, InjectionSpec, matches, with_fraction

MakeSpec = Callable[..., InjectionSpec]


class Grouped(nn.Module):
    """Two stages with grouped, depthwise and narrow layers between the first and the last."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.stage1 = nn.ModuleDict({
            "conv1": nn.Conv2d(8, 8, 3, padding=1), "grouped": nn.Conv2d(8, 8, 3, padding=1, groups=2),
            "depthwise": nn.Conv2d(8, 8, 3, padding=1, groups=8), "narrow": nn.Conv2d(8, 8, 1),
        })  # fmt: skip
        self.stage2 = nn.ModuleDict({
            "conv1": nn.Conv2d(8, 8, 3, padding=1), "conv2": nn.Conv2d(8, 8, 3, padding=1),
        })  # fmt: skip
        self.hidden, self.head = nn.Linear(8, 70), nn.Linear(70, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in (self.stage1, self.stage2):
            for layer in stage.values():
                x = layer(x)
        z: Tensor = self.head(self.hidden(x.mean((2, 3))))
        return z


X = torch.zeros(1, 3, 6, 6)
DEFAULT = ["stage1.conv1", "stage2.conv1", "stage2.conv2"]
UNGROUPED = ["stage1.conv1", "stage1.narrow", "stage2.conv1", "stage2.conv2", "hidden"]


@pytest.mark.parametrize(
    ("layers", "min_inputs", "expected"),
    [
        ((), 64, DEFAULT),
        ((), 1, UNGROUPED),
        ((), 72, DEFAULT),
        (("*",), 1, ["stem", *UNGROUPED, "head"]),
        (("stage1.*",), 1, ["stage1.conv1", "stage1.narrow"]),
        (("stage?.conv[1]",), 64, ["stage1.conv1", "stage2.conv1"]),
        (("stage2.*", "!*2"), 64, ["stage2.conv1"]),
        (("!stage2.*", "stage2.conv2"), 64, ["stage1.conv1", "stage2.conv2"]),
        (("stage2.*", "!stage2.*", "stage2.conv2"), 64, ["stage2.conv2"]),
        (("!*conv1",), 64, ["stage2.conv2"]),
        (("type:Linear",), 1, ["hidden", "head"]),
        (("type:Linear",), 64, ["head"]),
        (("!type:Conv*",), 1, ["hidden"]),
        (("type:*", "!type:Conv2d", "stem"), 1, ["stem", "hidden", "head"]),
        (("head", "stem"), 1, ["stem", "head"]),
    ],
)  # fmt: skip
def test_patterns_choose_layers_in_the_order_they_run(
    layers: tuple[str, ...], min_inputs: int, expected: list[str]
) -> None:
    model = Grouped()
    assert injectable(model, layers, min_inputs, X) == expected
    spec = InjectionSpec(TopK(0.5), Sparse(0.5), layers=layers, min_inputs=min_inputs)
    names = [name for name, _ in noisy_layers(inject(model, spec, X))]
    assert sorted(names) == sorted(expected)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (("stage3.*",), r"layers: 'stage3.\*' matches none of: stem, stage1.conv1, .*, head$"),
        (("!typo",), r"layers: '!typo' matches none of: stem"),
        (("stage1.*", "type:Conv3d"), r"layers: 'type:Conv3d' matches none of: stem"),
        (("Stem",), r"layers: 'Stem' matches none of"),
        (("stage1.grouped", "stage1.depthwise"), r"no layer of Grouped qualifies .* ungrouped with 64 inputs or more"),
        (("stage1.narrow",), r"no layer of Grouped qualifies .* 64 inputs"),
        (("!*",), r"no layer of Grouped qualifies"),
    ],
)  # fmt: skip
def test_patterns_that_choose_nothing_are_errors(layers: tuple[str, ...], message: str) -> None:
    spec = InjectionSpec(TopK(0.5), Sparse(0.5), layers=layers)
    with pytest.raises(UserError, match=message):
        inject(Grouped(), spec, X)
    with pytest.raises(UserError, match=message):
        injectable(Grouped(), layers, 64, X)


def test_grouped_layers_stay_exact_though_they_are_named() -> None:
    spec = InjectionSpec(TopK(0.5), Sparse(0.5), layers=("stage1.*",), min_inputs=1)
    noisy = inject(Grouped(), spec, X)
    for name in ("grouped", "depthwise"):
        assert type(noisy.get_submodule(f"stage1.{name}")) is nn.Conv2d


def test_an_override_of_a_grouped_layer_is_an_error() -> None:
    spec = InjectionSpec(TopK(0.5), Sparse(0.5), overrides={"*.grouped": {"weight_bits": 8}})
    with pytest.raises(
        UserError, match=r"overrides: '\*.grouped' matches none of the injected: stage1.conv1"
    ):
        inject(Grouped(), spec, X)


@pytest.mark.parametrize(
    "overrides", [{"stem": {"fraction": 0.1}}, {"type:Linear": {"weight_bits": 8}}]
)
def test_an_override_of_a_layer_that_is_not_injected_is_an_error(overrides: Any) -> None:
    spec = InjectionSpec(TopK(0.5), Sparse(0.5), overrides=overrides)
    with pytest.raises(UserError, match="matches none of the injected"):
        inject(Grouped(), spec, X)


def test_later_overrides_win() -> None:
    spec = InjectionSpec(
        TopK(0.5), Sparse(0.5), layers=("*",), min_inputs=1,
        overrides={
            "stage*": {"weight_bits": 8, "noise": Zero()},
            "*.conv1": {"weight_bits": 2, "projection": TapShared(0.25)},
            "type:Linear": {"fraction": 0.25, "weight_bits": 3},
            "head": {"weight_bits": 16},
            "stage2.conv1": {"input_bits": 8},
        },
    )  # fmt: skip
    layers = {name: layer.choices for name, layer in noisy_layers(inject(Grouped(), spec, X))}
    assert {name: choices.weight_bits for name, choices in layers.items()} == {
        "stem": 4, "stage1.conv1": 2, "stage1.narrow": 8, "stage2.conv1": 2, "stage2.conv2": 8,
        "hidden": 3, "head": 16,
    }  # fmt: skip
    assert layers["stage2.conv1"].input_bits == 8
    assert layers["stage1.conv1"].input_bits == 4
    assert layers["stage1.conv1"].projection == TapShared(0.25)
    assert (layers["hidden"].selection, layers["head"].selection) == (TopK(0.25), TopK(0.25))
    assert (layers["stem"].noise, layers["stage1.narrow"].noise) == (Approximation(), Zero())


@pytest.mark.parametrize("first", ["selection", "fraction"])
def test_a_fraction_is_that_of_the_layers_own_selection(first: str) -> None:
    changes = {"fraction": 0.25, "selection": Threshold(0.9)}
    if first == "selection":
        changes = dict(reversed(changes.items()))
    spec = InjectionSpec(NM(2, 4), Sparse(0.5), overrides={"a": changes})
    assert spec.of("a", "Linear").selection == Threshold(0.25)
    assert spec.of("b", "Linear").selection == NM(2, 4)


def test_a_fraction_of_a_selection_without_one_is_an_error() -> None:
    spec = InjectionSpec(NM(2, 4), Sparse(0.5), overrides={"stage1.*": {"fraction": 0.5}})
    with pytest.raises(
        UserError, match=r"'stage1.\*' has the selection NM\(n=2, m=4\), which has no fraction"
    ):
        inject(Grouped(), spec, X)
    with pytest.raises(UserError, match="'here' has the selection"):
        with_fraction(spec, 0.5, "here")


def test_a_fraction_beyond_1_is_an_error() -> None:
    spec = InjectionSpec(TopK(0.5), Sparse(0.5), overrides={"a": {"fraction": 1.5}})
    with pytest.raises(ValueError, match="fraction"):
        spec.of("a", "Linear")


@pytest.mark.parametrize("key", ["weight_bits", "input_bits", "projected_bits", "exact_bits"])
@pytest.mark.parametrize("bits", [0, 1, 9, 15, 33, "4", None])
def test_widths_that_do_not_exist_are_errors(make_spec: MakeSpec, key: str, bits: Any) -> None:
    message = rf"{key} should be one of 2, 3, 4, 5, 6, 7, 8, 16, 32, got {bits!r}"
    with pytest.raises(UserError, match=message):
        make_spec(**{key: bits})
    with pytest.raises(UserError, match=message):
        make_spec(overrides={"a": {key: bits}})


@pytest.mark.parametrize("bits", get_args(Bits))
def test_widths_that_exist(make_spec: MakeSpec, bits: int) -> None:
    keys = ("weight_bits", "input_bits", "projected_bits", "exact_bits")
    choices = make_spec(**dict.fromkeys(keys, bits)).of("a", "Linear")
    assert [getattr(choices, key) for key in keys] == [bits] * 4


@pytest.mark.parametrize("score", ["absolute", "", None, 1])
def test_scores_that_do_not_exist_are_errors(make_spec: MakeSpec, score: Any) -> None:
    with pytest.raises(UserError, match=rf"score should be 'signed' or 'magnitude', got {score!r}"):
        make_spec(score=score)


@pytest.mark.parametrize(
    "key", ["bits", "fractions", "layers", "min_inputs", "overrides", "Fraction"]
)
def test_overrides_of_what_is_no_choice_are_errors(make_spec: MakeSpec, key: str) -> None:
    with pytest.raises(
        UserError,
        match=rf"overrides: 'fc\*' changes '{key}', which is no choice .*: selection, .*, fraction$",
    ):
        make_spec(overrides={"fc*": {"weight_bits": 4, key: 3}})


def test_an_empty_pattern_of_changes_changes_nothing(make_spec: MakeSpec) -> None:
    spec = make_spec(overrides={"*": {}})
    assert spec.of("a", "Linear") == make_spec().of("a", "Linear")


def test_the_choices_of_a_layer_are_no_spec(make_spec: MakeSpec) -> None:
    assert type(make_spec(layers=("a",)).of("a", "Linear")) is Choices


@pytest.mark.parametrize(
    ("pattern", "name", "kind", "expected"),
    [
        ("conv*", "conv1", "Conv2d", True),
        ("conv*", "layer.conv1", "Conv2d", False),
        ("*conv1", "layer.conv1", "Conv2d", True),
        ("Conv*", "conv1", "Conv2d", False),
        ("layer[34].*", "layer3.0.conv1", "Conv2d", True),
        ("layer[34].*", "layer2.0.conv1", "Conv2d", False),
        ("layer[!3].*", "layer2.0.conv1", "Conv2d", True),
        ("type:Conv2d", "conv1", "Conv2d", True),
        ("type:Conv2d", "type:Conv2d", "Linear", False),
        ("type:*Linear", "a", "NonDynamicallyQuantizableLinear", True),
        ("type:Linear", "a", "NonDynamicallyQuantizableLinear", False),
    ],
)
def test_patterns(pattern: str, name: str, kind: str, expected: bool) -> None:
    assert matches(pattern, name, kind) == expected


def test_the_spec_of_the_paper() -> None:
    """4 bits of all that the approximation rounds, the raw signed value, z~ itself as the noise."""
    spec = InjectionSpec.paper(NM(2, 4), Sparse(0.125))
    assert spec == InjectionSpec(
        selection=NM(2, 4), projection=Sparse(0.125), weight_bits=4, input_bits=4, projected_bits=4,
        exact_bits=32, score="signed", normalise=False, noise=Approximation(), layers=(), overrides={},
    )  # fmt: skip
    assert InjectionSpec(NM(2, 4), Sparse(0.125)).normalise, "our default ranks comparable values"


def test_the_spec_of_the_paper_ranks_raw_values(trained: nn.Module) -> None:
    noisy = inject(
        trained, InjectionSpec.paper(TopK(0.5), Sparse(0.125)), torch.zeros(1, 1, 28, 28)
    )
    layer = dict(noisy_layers(noisy))["conv2"]
    layer.score_mean.fill_(9.0)
    z = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(layer.score(z), z)


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from([TopK(0.3), NM(2, 4), Threshold(0.25)]), st.sampled_from([Sparse(0.5), TapShared(0.1)]),
    st.sampled_from(get_args(Bits)), st.booleans(), st.sampled_from(["signed", "magnitude"]),
)  # fmt: skip
def test_choices_survive_their_config(
    selection: Any, projection: Any, bits: int, normalise: bool, score: Any
) -> None:
    choices = Choices(selection, projection, 4, bits, 4, bits, score, normalise, Zero())
    assert Choices(**Choices.read(choices.to_config())) == choices


def test_a_fraction_is_of_the_selection_that_earlier_overrides_chose() -> None:
    config = InjectionSpec(TopK(0.5), Sparse(0.5)).of("", "").to_config()
    config |= {"layers": ["!stem"], "min_inputs": 3}
    config["overrides"] = {
        "stage*": {"selection": {"name": "threshold", "fraction": 0.9}},
        "stage2.conv1": {"weight_bits": 8, "fraction": 0.1},
        "hidden": {"fraction": 0.2},
    }
    spec = InjectionSpec.from_config(config)
    assert (spec.layers, spec.min_inputs) == (("!stem",), 3)
    assert spec.of("stage1.conv1", "Conv2d").selection == Threshold(0.9)
    assert spec.of("stage2.conv1", "Conv2d").selection == Threshold(0.1)
    assert spec.of("stage2.conv1", "Conv2d").weight_bits == 8
    assert spec.of("hidden", "Linear").selection == TopK(0.2)


def test_fractions_of_layers_that_are_not_injected_are_errors() -> None:
    noisy = inject(Grouped(), InjectionSpec(TopK(0.5), Sparse(0.5)), X)
    with pytest.raises(UserError, match=r"stem is no injected layer; those are: stage1.conv1, "):
        set_fractions(noisy, {"stem": 0.5})


def test_injecting_twice_is_an_error(noisy: nn.Module, make_spec: MakeSpec) -> None:
    with pytest.raises(UserError, match="injected already"):
        inject(noisy, make_spec(), torch.zeros(1, 1, 28, 28))
