"""How large runs are: passes by hand, jobs as Snakemake plans them, hours as rates say."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scripts import script_named
from workflow_project import Project, bring_data

from nenni.adversary import attack_config
from nenni.run.config_file import load_config
from nenni.run.plan import Plan

TINY = Path(__file__).parents[1] / "cases" / "tiny.yaml"
PLAIN: dict[str, Any] = {}
TOPK = {"injection": {"selection": {"name": "topk", "fraction": 0.5}}}
RANDOM = {"injection": {"selection": {"name": "random", "fraction": 0.5}}}
NOISY = {"baseline": {"name": "pni"}}


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("run_sizes")


@pytest.fixture(scope="module")
def passes() -> Any:
    return script_named("_passes")


@pytest.fixture(scope="module")
def rates() -> Any:
    return script_named("_step_rates")


@pytest.mark.parametrize(
    ("size", "shape"), [((5, 40, 30, 3), (3, 40, 30)), ((5, 28, 20), (1, 28, 20))]
)
def test_images_of_a_file_have_the_shape_that_it_says(
    size: tuple[int, ...], shape: tuple[int, ...], script: Any, tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(size, np.uint8))
    assert script._shape({"name": "npz", "train": str(tmp_path / "a.npz")}) == shape
    assert script._shape({"name": "cifar10"}) == (3, 32, 32)
    assert script._shape({"name": "medmnist", "size": 64}) == (1, 64, 64)
    assert script._shape({"name": "image_folder", "size": 224}) == (3, 224, 224)


def recipe(method: dict[str, Any], attack: dict[str, Any] | None = None) -> dict[str, Any]:
    checked = None if attack is None else attack_config.validate(attack)
    return {
        "method": method, "epochs": 7, "batch_size": 64, "lr": 0.01, "eps": 0.03, "attack": checked,
        "schedule": {"name": "cosine"},
    }  # fmt: skip


PGD_5 = {"name": "pgd", "steps": 5}


@pytest.mark.parametrize(
    ("method", "attack", "of_train", "of_val"),
    [
        ({"name": "standard"}, None, {"training": 1}, {"forward": 1}),
        ({"name": "adversarial"}, PGD_5, {"gradient": 5, "training": 1}, {"gradient": 5}),
        ({"name": "fgsm_rs"}, PGD_5, {"gradient": 1, "training": 1}, {"gradient": 5}),
        ({"name": "trades", "steps": 3}, PGD_5, {"gradient": 3, "training": 2}, {"gradient": 5}),
    ],
)
def test_a_step_of_training(
    method: dict[str, Any],
    attack: dict[str, Any] | None,
    of_train: dict[str, int],
    of_val: dict[str, int],
    passes: Any,
) -> None:
    train, val = passes.of_training(recipe(method, attack), PLAIN)
    assert {kind: train[kind] for kind in ("gradient", "training")} == {
        "gradient": 0, **of_train,
    }  # fmt: skip
    assert val["training"] == 0
    assert val["gradient"] == of_val.get("gradient", 0)
    assert val["forward"] >= of_val.get("forward", 0)


def test_learned_noise_takes_a_step_of_its_own(passes: Any) -> None:
    standard = recipe({"name": "standard"})
    plain, _ = passes.of_training(standard, PLAIN)
    learning, _ = passes.of_training(standard, {"baseline": {"name": "learn2perturb"}})
    assert (plain["training"], learning["training"]) == (1, 2)


@pytest.mark.parametrize("defended", [PLAIN, TOPK, RANDOM, NOISY])
@pytest.mark.parametrize(
    ("attack", "gradients"),
    [
        ({"name": "fgsm"}, 1),
        ({"name": "pgd", "steps": 7}, 7),
        ({"name": "pgd", "steps": 4, "restarts": 3}, 12),
        ({"name": "pgd", "steps": 4, "samples": 5}, 20),
        ({"name": "square", "queries": 30}, 0),
    ],
)
def test_gradients_of_an_attack(
    attack: dict[str, Any], gradients: int, defended: dict[str, Any], passes: Any
) -> None:
    each, _ = passes.of_attack(attack_config.validate(attack), defended, 3, 4)
    assert each["gradient"] == pytest.approx(gradients, abs=1)
    if attack["name"] == "square":
        assert each["forward"] >= 30


def test_what_draws_is_scored_on_as_many_draws(passes: Any) -> None:
    fgsm = attack_config.validate({"name": "fgsm"})
    spent = {n: passes.of_attack(fgsm, RANDOM, 3, n)[0]["forward"] for n in (4, 14)}
    assert spent[14] - spent[4] == pytest.approx(3 * 10)  # before, what it gave, its worst point
    fixed = {n: passes.of_attack(fgsm, TOPK, 3, n)[0]["forward"] for n in (4, 14)}
    assert fixed[4] == fixed[14]


def test_an_attack_is_counted_once_for_all_injections(passes: Any) -> None:
    pgd = attack_config.validate({"name": "pgd", "steps": 9})
    first = passes.of_attack(pgd, TOPK, 3, 4)
    known = passes._of_attack.cache_info().misses
    for fraction in (0.1, 0.2, 0.3):
        other = {"injection": {"selection": {"name": "topk", "fraction": fraction}}}
        assert passes.of_attack(pgd, other, 3, 4) == first
    assert passes._of_attack.cache_info().misses == known


@pytest.mark.slow
def test_jobs_and_passes_of_a_config(script: Any, tmp_path: Path) -> None:
    project = Project.copy(tmp_path)
    made, counted = script.sized(project, TINY)
    config = load_config(TINY)
    plan = Plan(config)
    attacks = [(e, n) for e in plan.experiments() for n in plan.evaluations(e)]
    assert made["attack_experiment"] == len(attacks)
    assert made["finetune_defence"] == len(plan.finetuned_experiments())
    assert {"train_base", "attack_experiment", "sweep_noise"} <= counted.keys() <= made.keys()
    trained = sum(work.passes["training"] for work in counted["train_base"].values())
    epochs = {b: config.recipes[of.recipe]["epochs"] for b, of in config.bases.items() if of.recipe}
    one = {(script._trained_as(config, b), s): b for b, s in plan.bases() if b in epochs}
    images = {b: script.split(config, b)["train"] for b in config.bases}
    assert trained == sum(epochs[b] * images[b] for b in one.values())


def test_the_table_is_of_the_configs_as_they_are(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_data(tmp_path)
    (tmp_path / "workflow").symlink_to(script.ROOT / "workflow")
    monkeypatch.chdir(tmp_path)
    table = pd.read_csv(script.REFERENCE / "run_sizes.csv")
    assert {*table["config"]} == {*script.CONFIGS}
    for name, rows in table[table["device"] == "none"].groupby("config"):
        plan = Plan(load_config(script.ROOT / "config" / f"{name}.yaml"))
        jobs = rows.set_index("rule")["jobs"].to_dict()
        counted = {
            "draw_figure": len(plan.config.figures),
            "attack_experiment": sum(len(plan.evaluations(e)) for e in plan.experiments()),
            "finetune_defence": len(plan.finetuned_experiments()),
            "describe_experiment": len(plan.experiments()),
        }
        now = {rule: n for rule, n in counted.items() if n}
        assert {rule: jobs.get(rule) for rule in now} == now, f"{name}: run_sizes.py again"
        if name in ("cifar10_cpu", "photos"):  # those of others take a while
            for rule, by_network in script.works(plan.config).items():
                passes = sum((work.passes for work in by_network.values()), Counter())
                told = rows.set_index("rule").loc[rule, script.PASSES].fillna(0).astype(int)
                assert {f"{kind}_passes": round(passes[kind]) for kind in script.KINDS} == dict(told), f"{name}, {rule}: run_sizes.py again"  # fmt: skip


def test_rows_of_a_config_as_it_was_before_are_forgotten(script: Any, tmp_path: Path) -> None:
    columns = ["config", "rule", "device", "jobs", "forward_passes", "gradient_passes", "training_passes"]  # fmt: skip
    known = [
        ["run", "attack", "none", 3, 40, 20, 0],
        ["run", "attack", "a card", 3, 40, 20, 0],
        ["run", "train", "a card", 2, 9, 9, 5],
        ["run", "judge", "none", 1, None, None, None],
        ["run", "gone", "none", 1, None, None, None],
        ["other", "attack", "a card", 7, 1, 1, 0],
    ]
    now = [
        ["run", "attack", "none", 2, 40, 20, 0],
        ["run", "train", "none", 2, 9, 9, 5],
        ["run", "judge", "none", 1, None, None, None],
    ]
    file = tmp_path / "sizes.csv"
    pd.DataFrame(known, columns=columns).to_csv(file, index=False)
    script.forget(file, pd.DataFrame(now, columns=columns))
    left = pd.read_csv(file)
    assert left[["config", "rule", "device"]].to_numpy().tolist() == [
        ["run", "train", "a card"], ["run", "judge", "none"], ["other", "attack", "a card"],
    ]  # fmt: skip
    script.forget(tmp_path / "none.csv", left)
    assert not (tmp_path / "none.csv").exists()


def test_a_config_that_was_not_changed_keeps_its_rows_however_large(
    script: Any, tmp_path: Path
) -> None:
    large = {"config": "run", "rule": "attack", "jobs": 3, "forward_passes": 1234567891, "gradient_passes": 987654321, "training_passes": 0}  # fmt: skip
    empty = {"config": "run", "rule": "judge", "jobs": 1, "device": "none"}
    file = tmp_path / "sizes.csv"
    timed = pd.DataFrame([large | {"device": of} for of in ("none", "a card")] + [empty])
    for found in (timed, timed[timed["device"] == "none"], timed[timed["device"] == "none"]):
        script.forget(file, found)
        script.keep(file, found, script.OF, script.PASSES)
    left = pd.read_csv(file)
    assert sorted(left["device"]) == ["a card", "none", "none"]
    assert left["forward_passes"].max() == 1234567891


def small(rates: Any, defended: dict[str, Any], **model: Any) -> Any:
    config = {"name": "small_cnn", "channels": [4, 4, 4, 4], "hidden": 8, **model}
    return rates.Network(config, (1, 16, 16), defended)


@pytest.mark.long
@pytest.mark.parametrize("defended", [PLAIN, NOISY, "injected"])
def test_a_step_takes_time(defended: Any, rates: Any) -> None:
    if defended == "injected":
        whole = {
            "layers": [],
            "overrides": {},
            "min_inputs": 1,
            "projection": {"name": "sparse", "ratio": 0.5},
        }
        defended = {"injection": {**TOPK["injection"], **whole}}
    found = rates.measured(small(rates, defended), torch.device("cpu"))
    assert found.keys() == {"forward", "gradient", "training"}
    assert 0 < found["forward"] < found["training"]


def test_a_step_is_timed_once_and_where_it_is_asked_for(
    script: Any, rates: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed: list[tuple[str, list[str]]] = []

    def measured(network: Any, device: torch.device, kinds: list[str]) -> dict[str, float]:
        timed.append((network.key, kinds))
        return dict.fromkeys(kinds, 1.0)

    monkeypatch.setattr(script, "measured", measured)
    known: dict[str, dict[str, float]] = {}
    plain, injected = small(rates, PLAIN), small(rates, TOPK)
    first = {
        "attack_experiment": {n.key: script.Work(n, Counter(gradient=1)) for n in (plain, injected)}
    }
    first["sweep_noise"] = {injected.key: script.Work(injected, Counter(forward=2))}
    cpu = torch.device("cpu")
    found = script._timed(first, cpu, known)
    assert timed == [(plain.key, ["gradient"]), (injected.key, ["forward", "gradient"])]
    assert found[injected.key] == {"forward": 1.0, "gradient": 1.0}
    assert first["sweep_noise"][injected.key].passes == Counter(forward=2), "as they were"
    second = {"train_base": {plain.key: script.Work(plain, Counter(gradient=5, training=1))}}
    assert script._timed(second, cpu, known)[plain.key] == {"gradient": 1.0, "training": 1.0}
    assert timed[2:] == [(plain.key, ["training"])]


def test_networks_that_differ_in_the_normalisation_take_as_long(rates: Any) -> None:
    resnet = {"name": "resnet18", "width": 64}
    a, b, c = (
        rates.Network({**resnet, **change}, (3, 32, 32), PLAIN)
        for change in ({"mean": [0.1]}, {"mean": [0.2]}, {"width": 32})
    )
    assert a.key == b.key != c.key


SPEED = pd.DataFrame(
    [
        ("GPU", "fp32", "resnet18", 100, 1.0, 4.0, 2.0), ("GPU", "fp32", "resnet18", 100, 2.0, 5.0, 3.0),
        ("GPU", "bf16", "resnet18", 100, 0.1, 0.1, 0.1), ("CPU, one thread", "fp32", "resnet18", 100, 9.0, 9.0, 9.0),
    ],
    columns=["device", "precision", "network", "batch", "plain_forward_ms", "plain_training_step_ms", "plain_pgd_step_ms"],
)  # fmt: skip


def test_rates_of_a_card_are_those_of_the_table(rates: Any) -> None:
    of = {"name": "resnet18", "width": 64, "mean": [0.5], "std": [0.2]}
    found = rates.looked_up(rates.Network(of, (3, 32, 32), PLAIN), SPEED)
    assert found == {"GPU": pytest.approx({"forward": 1e-5, "gradient": 2e-5, "training": 4e-5})}
    others = [
        ({"width": 16}, (3, 32, 32), PLAIN),
        ({}, (3, 64, 64), PLAIN),
        ({}, (3, 32, 32), TOPK),
    ]
    others.append(({"name": "wide_resnet", "depth": 34, "widen": 10}, (3, 32, 32), PLAIN))
    for change, shape, defended in others:
        model = {
            k: v for k, v in {**of, **change}.items() if change.get("name") is None or k != "width"
        }
        assert rates.looked_up(rates.Network(model, shape, defended), SPEED) == {}


def test_hours_are_passes_at_their_rates(script: Any, rates: Any) -> None:
    plain, injected = small(rates, PLAIN), small(rates, TOPK)
    counted = {
        "train_base": {plain.key: script.Work(plain, Counter(training=3600, gradient=7200))},
        "attack_experiment": {
            plain.key: script.Work(plain, Counter(forward=1800)),
            injected.key: script.Work(injected, Counter(forward=5400)),
        },
    }
    known = {plain.key: {"forward": 2.0, "gradient": 0.5, "training": 1.0}}
    found = script.rows(
        "x", {"train_base": 2, "attack_experiment": 5, "draw_figure": 3}, counted, {"GPU": known}
    )
    told = found.set_index(["rule", "device"])
    assert told.loc[("train_base", "GPU"), ["rated", "hours"]].tolist() == [1.0, 2.0]
    assert told.loc[("attack_experiment", "GPU"), ["rated", "hours"]].tolist() == [0.25, 1.0]
    assert found["device"].tolist() == ["none", "GPU", "none", "GPU", "none"]
    assert found.groupby("rule", sort=False)["jobs"].first().tolist() == [2, 5, 3]
    tables = script_named("_size_tables")
    (row,) = tables.sizes(found).to_dict("records")
    assert row == {
        "config": "`x`",
        "jobs": "10",
        "million passes": "0.0",
        "hours, GPU": "3.0 for 70 % of them",
    }
    assert tables.jobs(found)["x"].tolist() == [2, 5, 3]


def test_the_estimate_is_compared_with_what_the_jobs_took() -> None:
    tables = script_named("_size_tables")
    found = pd.DataFrame(
        {
            "config": ["config", "config", "other", "config"], "rule": ["a", "a", "a", "b"],
            "device": ["none", "CPU, one thread", "CPU, one thread", "CPU, one thread"],
            "forward_passes": 1, "hours": [None, 1.0, 9.0, 0.5],
        }
    )  # fmt: skip
    took = pd.DataFrame({"rule": ["a", "b", "c"], "seconds": [2000.0, 700.0, 300.0]})
    assert tables.of_measured(found, took, "CPU") == "2.00 times"
    assert tables.of_measured(found, took, "another CPU") == "not measured"
    assert tables.estimated_share(found, took) == "90 %"
