"""Words that hang on numbers or on a config."""

from types import SimpleNamespace
from typing import Any

import pytest
from scripts import script_named

from nenni.run.config_file import load_config

words: Any = script_named("_found_words")
CONFIGS = script_named("_found").CONFIGS
saving: Any = script_named("_found_saving")


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (0.01, 0.2, "better"),
        (-0.2, -0.01, "worse"),
        (-0.1, 0.1, "cannot be told apart"),
        (0.0, 0.1, "cannot be told apart"),
        (-0.1, 0.0, "cannot be told apart"),
    ],
)
def test_a_verdict_needs_the_whole_interval(low: float, high: float, told: str) -> None:
    assert words.verdict(low, high) == told


def test_a_difference_has_its_sign_and_interval() -> None:
    row = SimpleNamespace(difference=-0.144, low=-0.233, high=0.055)
    assert words.points(row) == "-14.4 (-23.3 to +5.5)"
    assert words.in_points(row) == "-14.4 points (-23.3 to +5.5)"


@pytest.mark.parametrize(
    ("left", "other", "told"),
    [(0.6, 0.5, "10.0 points more"), (0.5, 0.6, "10.0 points less"), (0.5, 0.5, "no more")],
)
def test_an_attack_that_leaves_less_breaks_more(left: float, other: float, told: str) -> None:
    assert words.beyond(left, other) == told


CONTROLS = {
    "mnist_claims": {
        "none": "no noise, the base as it is",
        "none_ft": "no noise, the same training",
        "random_50": "as many neurons exact, chosen at random",
        "inverted_50": "noise into the essential neurons",
        "gaussian_50": "Gaussian noise of the same size in place of the error",
        "zero_50": "zeros in place of the approximation",
        "topk_10": "another setting of the method",
    },
    "cifar10_cpu": {
        "int8": "plain quantisation to INT8",
        "gaussian": "Gaussian noise on all activations",
        "pni_off": "PNI: learned noise, its noise switched off",
        "k_wta": "k-WTA",
    },
}


@pytest.mark.parametrize("config", CONTROLS)
def test_controls_are_told_by_what_they_are(config: str) -> None:
    loaded = load_config(CONFIGS / f"{config}.yaml")
    assert {name: words.stands_for(loaded, name) for name in CONTROLS[config]} == CONTROLS[config]


def test_every_attack_of_the_configs_is_told_by_its_way() -> None:
    attacks = load_config(CONFIGS / "mnist_claims.yaml").attacks
    ways = {name: words.way(attack) for name, attack in attacks.items()}
    assert ways["soft_mask_targeted"] == "soft"
    assert ways["bpda"] == "past"
    assert ways["exact_path"] == "exact"
    assert ways["smoothed"] == "near"
    assert {ways[name] for name in ("pgd_eot", "apgd_eot")} == {"draws"}
    assert {ways[name] for name in ("square", "square_long", "rays", "square_eot")} == {"none"}
    assert ways["autoattack"] == "referee"
    assert {ways[name] for name in ("pgd_20", "apgd_pm", "apgd_targeted")} == {"own"}
    assert set(ways.values()) <= set(words.WAYS)


@pytest.mark.parametrize(
    ("what", "low", "high", "border", "told"),
    [
        ("speedup", 1.1, 2.0, 1, "faster than"),
        ("speedup", 0.5, 0.9, 1, "slower than"),
        ("speedup", 0.5, 1.1, 1, "as fast as, within the assumed constants,"),
        ("saved", 0.1, 0.2, 0, "less"),
        ("saved", -0.2, -0.1, 0, "more"),
        ("saved", -0.2, 0.1, 0, "about as much"),
    ],
)
def test_costs_are_told_by_their_range(
    what: str, low: float, high: float, border: float, told: str
) -> None:
    assert saving.told(what, low, high, border) == told
