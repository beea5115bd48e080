from typing import Any

import pytest
from claims_cases import N_OF_M, TOPK, claim, run

from nenni.run.claim_arms import (
    about_base,
    arms_of,
    controls_of,
    exact_share,
    injection_of,
    is_own,
    lacking_arms,
    lacking_control,
    training_of,
)
from nenni.run.claims_config import Against


def test_arms_are_found_by_what_they_are() -> None:
    config = run()
    both = [{"selection": TOPK}, {"selection": N_OF_M, "finetuned": True}]
    found = [(base, d) for base, d, _ in arms_of(claim(arms=both), config)]
    assert found == [("at", "b"), ("at", "a")]  # not moved, which allocates, nor zeros
    for finetuned, defences in ((None, ["b"]), (False, ["b"]), (True, [])):
        wanted = claim(arms=[{"selection": TOPK, "finetuned": finetuned}])
        assert [d for _, d, _ in arms_of(wanted, config)] == defences
    for training, bases in ((["standard"], []), (["fgsm_rs", "adversarial"], ["at", "fast"])):
        assert [b for b, _, _ in arms_of(claim(training=training), config)] == bases
    assert not [*arms_of(claim(arms=[{"selection": TOPK | {"fraction": 0.4}}]), config)]


def test_an_arm_that_is_trained_on_in_another_way_is_none() -> None:
    for recipe, found in (("long", ["at"]), ("fast", []), (None, ["at"])):
        config = run(finetunes__short__recipe=recipe)
        assert [base for base, _, _ in arms_of(claim(), config)] == found, recipe


def test_an_arm_that_two_patterns_match_counts_once() -> None:
    wanted = claim(arms=[{"selection": N_OF_M, "finetuned": True}, {"selection": N_OF_M}])
    assert len([*arms_of(wanted, run())]) == 1


def test_noise_that_is_shared_by_all_is_seen() -> None:
    config = run(injection__noise={"name": "zero"})
    assert not [*arms_of(claim(), config)]


@pytest.mark.parametrize(
    ("override", "is_arm"),
    [
        ({"fraction": 0.05}, False),
        ({"selection": N_OF_M}, False),
        ({"selection": {"name": "all"}}, False),
        ({"noise": {"name": "zero"}}, False),
        ({"selection": TOPK, "noise": {"name": "zero"}}, False),
        ({"selection": TOPK, "fraction": 0.4}, False),
        ({"selection": TOPK, "fraction": 0.5, "noise": {"name": "approximation"}}, True),
        ({"weight_bits": 8, "score": "magnitude"}, True),
    ],
)
def test_an_arm_is_one_in_all_its_layers(override: dict[str, Any], is_arm: bool) -> None:
    """By its own injection, and by the shared one, whose place its own takes."""
    wanted, some = claim(arms=[{"selection": TOPK}]), {"conv*": override}
    own = run(defences__b={"injection": {"selection": TOPK, "overrides": some}})
    shared = run(injection__overrides=some)
    for config in (own, shared):
        assert [d for _, d, _ in arms_of(wanted, config)] == ["b"] * is_arm
    alone = {"injection": {"selection": TOPK, "overrides": {}}}
    both = run(injection__overrides=some, defences__b=alone)
    assert [d for _, d, _ in arms_of(wanted, both)] == ["b"]


CONTROLS: dict[Against, list[tuple[str, str, str]]] = {
    "same_training": [("the same training without the method", "at", "plain_on")],
    "base": [("the base as it is", "at", "plain")],
    "last_epoch": [("the last epoch of adversarial training", "long_last", "plain")],
    "best_epoch": [("the best epoch of adversarial training", "long_best", "plain")],
    "baselines": [
        ("the baseline of fgsm_rs training", "fast", "plain"),
        ("the baseline of trades training", "trades", "plain"),
    ],
}


@pytest.mark.parametrize("against", CONTROLS)
def test_what_an_arm_is_compared_with(against: Against) -> None:
    """The longest training of its kind; awp has no network that is left as it is."""
    assert controls_of(against, run(), "at", "a") == CONTROLS[against]


def test_a_network_of_another_width_or_data_is_no_comparator() -> None:
    """What it gains would be the width's."""
    config = run(models__wide={"name": "small_cnn", "hidden": 9}, bases__at__model="wide")
    for against in ("best_epoch", "baselines"):
        assert controls_of(against, config, "at", "a") == []
    assert controls_of("last_epoch", config, "at", "a") == [
        ("the last epoch of adversarial training", "at", "plain")
    ]


def test_another_defence_is_no_control() -> None:
    """Though nothing is injected there, and it is trained on alike."""
    config = run(
        defences__pni={"baseline": {"name": "pni"}, "finetune": "short"},
        defences__pni_off={"without_noise": "pni"},
        experiments__at=["pni_off", "pni", "plain", "plain_on", "a"],
    )
    for against in ("same_training", "base"):
        assert controls_of(against, config, "at", "a") == CONTROLS[against]


def test_an_arm_without_fine_tuning_has_the_base_for_its_control() -> None:
    ((_, _, control),) = controls_of("same_training", run(), "at", "b")
    assert control == "plain"


@pytest.mark.parametrize(
    ("against", "changes", "told"),
    [
        ("same_training", {"experiments__at": ["plain", "a"]}, "a defence of at without injection and with the fine-tuning of a"),
        ("base", {"experiments__at": ["plain_on", "a"]}, "a defence of at that does nothing"),
        ("best_epoch", {"experiments": {"at": ["plain", "a"]}}, "a base of adversarial training that keeps the best epoch"),
        ("last_epoch", {"experiments": {"at": ["a"]}}, "a base of adversarial training that keeps the last epoch"),
        ("baselines", {"experiments": {"at": ["plain", "a"], "standard": ["plain"]}}, "a base of another adversarial training"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_named(
    against: Against, changes: dict[str, object], told: str
) -> None:
    config = run(**changes)
    assert controls_of(against, config, "at", "a") == []
    assert lacking_control(against, config, "at", "a").startswith(told)


def test_what_arms_are_lacking_is_named() -> None:
    wanted = claim(arms=[{"selection": N_OF_M}, {"selection": TOPK}], training=["standard", "x"])
    assert lacking_arms(wanted) == (
        "a defence that selects by n_m (n 4, m 8) or topk (fraction 0.5) on a base of standard or x "
        "training"
    )


def test_bases_on_other_data_are_not_beside_each_other() -> None:
    changed = run(
        data__more={"data": {"name": "mnist5k"}, "train": 300, "val": 40, "test": 40},
        bases__long_last={"data": "more", "model": "cnn", "recipe": "long"},
    )
    assert controls_of("last_epoch", changed, "at", "a")[0][1] == "at"


def test_how_a_base_was_trained() -> None:
    config = run()
    found = {base: training_of(config, base) for base in config.bases}
    assert found["at"] == found["long_best"] == "adversarial"
    assert (found["awp"], found["fast"], found["standard"]) == (
        "adversarial_awp", "fgsm_rs", "standard",
    )  # fmt: skip
    weights = {"data": "digits", "model": "cnn", "weights": "w.safetensors"}
    assert training_of(run(bases__theirs=weights), "theirs") is None
    known = run(bases__theirs=weights | {"trained_by": "fgsm_rs"})
    assert training_of(known, "theirs") == "fgsm_rs"
    published = weights | {"weights": "torchvision:DEFAULT"}
    assert training_of(run(bases__theirs=published), "theirs") == "standard"


def test_what_a_base_is() -> None:
    about = about_base(run(), "at")
    assert (about["data"], about["dataset"], about["model"]) == ("digits", "mnist5k", "small_cnn")
    assert about["architecture"] == "small_cnn with channels [8, 8, 16, 16], hidden 32"
    named = {"name": "resnet18", "mean": [0.5, 0.5, 0.5]}
    assert about_base(run(models__cnn=named), "at")["architecture"] == "resnet18"
    thin = named | {"width": 16}
    assert about_base(run(models__cnn=thin), "at")["architecture"] == "resnet18 with width 16"
    torchvision = {"name": "torchvision:resnet50"}
    assert about_base(run(models__cnn=torchvision), "at")["architecture"] == "resnet50"
    own = {"name": "my_network:build"}
    assert about_base(run(models__cnn=own), "at")["architecture"] == "my_network:build"


@pytest.mark.parametrize(("datasets", "own"), [(["digits"], True), (["a", "mnist5k"], True), (["a"], False)])  # fmt: skip
def test_data_are_known_by_name_or_plugin(datasets: list[str], own: bool) -> None:
    assert is_own(claim(datasets=datasets), run(), "at") == own


def test_shares_that_are_exact() -> None:
    assert exact_share(N_OF_M) == exact_share(TOPK) == 0.5
    assert exact_share({"name": "threshold", "fraction": 0.1}) == 0.1
    assert exact_share({"name": "all"}) == 1
    assert injection_of(run(), "zeros")["noise"] == {"name": "zero"}
    assert injection_of(run(), "b")["noise"] == {"name": "approximation"}
