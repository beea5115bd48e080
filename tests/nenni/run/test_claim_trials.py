import json
from dataclasses import astuple
from typing import Any

import pytest
from claims_cases import N_OF_M, TOPK, claim, claims, run

from nenni.run.claim_trials import Trial, compared, trials
from nenni.run.config import Config

AT = 12.75 / 255
CLEAN: dict[str, Any] = {
    "measure": "clean_kept", "value": None, "margin": 0.02, "attack": None, "eps": None,
}  # fmt: skip


def found(config: Config | None = None, **changes: Any) -> list[Trial]:
    return trials(claims(claim(**changes)), run() if config is None else config)


def test_a_gain_is_read_where_both_were_attacked_on_most_images() -> None:
    (trial,) = found()
    assert trial == Trial(
        "c0", "the base as it is", "at", "a", "at", "plain", "many", "linf", AT
    )  # fmt: skip


def test_more_seeds_count_for_more_than_more_images() -> None:
    config = run(evaluations__many__seeds=[0])
    (trial,) = found(config)
    assert trial.evaluation == "few"


def test_seeds_count_that_both_networks_have() -> None:
    config = run(evaluations__many__seeds=[0], defences__plain__seeds=[0])
    assert found(config)[0].evaluation == "many"
    config = run(evaluations__many__seeds=[0], defences__plain__seeds=[1])
    assert found(config)[0].evaluation == "few"


def test_an_attack_is_known_by_its_parameters() -> None:
    assert found(attack={"name": "pgd", "steps": 3, "relative_step": 2.5})[0].evaluation == "many"
    (other,) = found(attack={"name": "pgd", "steps": 4})
    assert other.evaluation == ""
    assert other.missing == (
        "an evaluation that attacks both at/a and at/plain by pgd (steps 4) at eps 12.75/255"
    )
    assert found(attack={"name": "fgsm"})[0].missing  # its evaluation is not about a
    compiled = run(attacks__pgd_3={"name": "pgd", "steps": 3, "compile": True})
    assert found(compiled)[0].evaluation == "many"


def test_a_transfer_attack_is_another() -> None:
    """It has more images, and its gradients are those of another network."""
    config = run(
        evaluations__many__source={"base": "standard", "seed": 100},
        evaluations__many__examples=40,
    )
    assert found(config)[0].evaluation == "few"
    (clean,) = found(config, **CLEAN)
    assert clean.evaluation == "many"


def test_an_attack_through_a_surrogate_is_another() -> None:
    through = {"name": "pgd", "steps": 3, "surrogate": {"name": "soft_mask"}}
    config = run(attacks__soft=through, evaluations__many__attack="soft")
    assert found(config)[0].evaluation == "few"


def test_the_attack_of_a_suite_is_an_evaluation_too() -> None:
    suite = {"attacks": ["pgd_3"], "eps": {"at": {"linf": 12.75}}, "examples": 30}
    assert found(run(suites={"strong": suite}))[0].evaluation == "strong_pgd_3"


@pytest.mark.parametrize(
    ("changes", "eps"),
    [
        ({}, 12.75),
        ({"of_main": 2}, 25.5),
        ({"datasets": ["digits"], "eps": 25.5}, 25.5),
        ({"datasets": ["mnist5k"], "eps": 12.75, "of_main": 2}, 12.75),
        ({"datasets": ["digits"]}, None),
        ({"of_main": 1.5}, None),
    ],
)
def test_radii(changes: dict[str, Any], eps: float | None) -> None:
    """On the claim's own data its radius, on other data that of the main table, times a factor."""
    (trial,) = found(**changes)
    assert (trial.eps, bool(trial.missing)) == (0 if eps is None else eps / 255, eps is None)


def test_a_radius_in_another_norm_is_none() -> None:
    (trial,) = found(attack={"name": "pgd", "steps": 3, "norm": "l2"}, eps=0.5)
    assert trial.missing.endswith("by pgd (steps 3) at an l2 radius")


def test_clean_images_are_those_of_any_attack() -> None:
    (trial,) = found(**CLEAN)
    assert (trial.evaluation, trial.eps, trial.norm) == ("many", 0, "")
    (trial,) = found(**CLEAN, arms=[{"selection": TOPK}])
    assert trial.evaluation == "other"
    (trial,) = found(
        run(evaluations__many__defences=["b"], evaluations__few__defences=["b"]), **CLEAN
    )
    assert trial.missing == "an evaluation of both at/a and at/plain"


def test_each_comparator_and_arm_has_a_row() -> None:
    every = ["same_training", "base", "last_epoch", "best_epoch", "baselines"]
    rows = found(against=every, arms=[{"selection": N_OF_M}, {"selection": TOPK}])
    assert [(t.defence, t.control_base, t.control) for t in rows] == [
        ("a", "at", "plain_on"), ("b", "at", "plain"), ("a", "at", "plain"), ("b", "at", "plain"),
        ("a", "long_last", "plain"), ("b", "long_last", "plain"),
        ("a", "long_best", "plain"), ("b", "long_best", "plain"),
        ("a", "fast", "plain"), ("a", "trades", "plain"),
        ("b", "fast", "plain"), ("b", "trades", "plain"),
    ]  # fmt: skip
    assert all(t.evaluation == "many" and t.eps == AT for t in rows)


def test_a_comparator_that_was_trained_longer_is_told() -> None:
    rows = found(against=["base", "last_epoch", "baselines"])
    assert [(t.control_base, t.differs) for t in rows] == [
        ("at", ""), ("long_last", "after 2 epochs of training, not 9"), ("fast", ""), ("trades", ""),
    ]  # fmt: skip


def test_another_base_is_to_be_attacked_at_the_same_radius() -> None:
    eps = {"at": [12.75], "long_last": [10.0]}
    config = run(evaluations__many__eps=eps, evaluations__few__eps=eps)
    (trial,) = found(config, against=["last_epoch"])
    assert trial.control_base == "long_last"
    assert "both at/a and long_last/plain" in trial.missing


def test_what_the_run_lacks_is_named_once_for_each_comparator() -> None:
    rows = found(training=["trades"], against=["base", "last_epoch"])
    assert [t.comparator for t in rows] == [
        "the base as it is",
        "the last epoch of the same training",
    ]
    assert {t.missing for t in rows} == {
        "a defence that selects by n_m (n 4, m 8) on a base of trades training"
    }
    (row,) = found(run(experiments__at=["a"]))
    assert (row.defence, row.missing) == ("a", "a defence of at that does nothing")


BITOPS = {
    "measure": "bitops_reduction", "attack": None, "eps": None, "against": None, "bits": ["fp32", "int8"],
}  # fmt: skip


def test_bitops_with_and_without_overheads_and_what_could_go_at_most() -> None:
    rows = found(**BITOPS)
    assert [(t.comparator, t.overheads, t.limit) for t in rows] == [
        ("dense FP32, overheads counted", True, 0.5), ("dense FP32, overheads left out", False, 0.5),
        ("dense INT8, overheads counted", True, -7.0), ("dense INT8, overheads left out", False, -7.0),
    ]  # fmt: skip
    (row, *_) = found(run(injection__exact_bits=8), **BITOPS)
    assert row.limit == 1 - 0.5 / 16
    (row, *_) = found(run(injection__overrides={"conv*": {"exact_bits": 8}}), **BITOPS)
    assert row.limit == 1 - 0.5 / 16
    rows = found(**BITOPS, training=["trades"])
    assert [t.comparator for t in rows] == ["dense FP32", "dense INT8"]


def test_how_an_arm_differs_is_handed_on() -> None:
    (row,) = found(arms=[{"selection": N_OF_M, "differs": "with less noise"}])
    assert row.differs == "with less noise"


def test_pairs_are_those_of_the_main_table_and_of_the_claims() -> None:
    config = run()
    pairs = compared(found(against=["same_training", "last_epoch"]), config)
    assert pairs[:2] == [["at", "plain_on", "at", "plain"], ["at", "a", "at", "plain"]]
    assert pairs[-2:] == [["at", "a", "at", "plain_on"], ["at", "a", "long_last", "plain"]]
    assert len({tuple(pair) for pair in pairs}) == len(pairs)


def test_a_trial_survives_the_command_line() -> None:
    (trial,) = found()
    assert Trial(*json.loads(json.dumps(astuple(trial)))) == trial
