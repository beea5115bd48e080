"""What each change re-runs, and what it leaves alone."""

from collections.abc import Callable
from pathlib import Path

import pytest
from workflow_project import Project, ToDo

pytestmark = pytest.mark.xdist_group("workflow")

Predicate = Callable[[ToDo], bool]
SUMMARY = {"sum_up_accuracy", "make_main_table", "judge_claims"}
COLLECTED = {"operations", "reductions", "latency", "fit", "errors"}
ACCURACY = {*(ToDo(rule) for rule in SUMMARY), ToDo("draw_figure", "figure=accuracy_vs_eps")}
EVALUATIONS = {
    "none": ["fgsm", "pgd"],
    "topk": ["fgsm", "pgd", "transfer"],
    "alloc": ["fgsm", "pgd"],
    "random": ["pgd"],
}


def attacks(defence: str, *names: str, seed: int = 0) -> set[ToDo]:
    chosen = names or EVALUATIONS[defence]
    return {
        ToDo("attack_experiment", f"base=at, defence={defence}, seed={seed}, evaluation={name}")
        for name in chosen
        if name in EVALUATIONS[defence]
    }


def of(defence: str, *rules: str, seed: int = 0) -> set[ToDo]:
    return {ToDo(rule, f"base=at, defence={defence}, seed={seed}") for rule in rules}


def collect(*tables: str) -> set[ToDo]:
    return {ToDo("collect_table", f"table={table}") for table in tables}


def costs(*defences: str, seed: int = 0) -> set[ToDo]:
    return {j for d in defences for j in of(d, "describe_experiment", "cost_experiment", seed=seed)}


SWEEP = {ToDo("sweep_noise"), ToDo("draw_figure", "figure=noise_intensity")}
FROM_TOPK = (
    of("topk", "fit_defence", "finetune_defence") | attacks("topk") | costs("topk")
    | collect(*COLLECTED) | ACCURACY | {ToDo("sum_up_overhead")}
)  # fmt: skip
FROM_PROJECT = (
    FROM_TOPK | of("alloc", "fit_defence") | of("random", "fit_defence") | attacks("alloc")
    | attacks("random") | costs("alloc", "random") | SWEEP
)  # fmt: skip
FROM_PRETRAIN = (
    FROM_PROJECT | attacks("none") | costs("none")
    | {ToDo("train_base", "base=at, seed=0"), ToDo("profile_base", "base=at, seed=0")}
)  # fmt: skip
NEW_SEED = (
    {ToDo("train_base", "base=at, seed=1"), ToDo("profile_base", "base=at, seed=1")}
    | of("topk", "fit_defence", "finetune_defence", seed=1) | of("alloc", "fit_defence", seed=1)
    | of("random", "fit_defence", seed=1) | costs("none", "topk", "alloc", "random", seed=1)
    | {j for d in EVALUATIONS for j in attacks(d, seed=1)}
    | collect(*COLLECTED) | ACCURACY | {ToDo("sum_up_overhead")}
)  # fmt: skip

CONFIG_CHANGES = {
    "an attack's steps": (
        "pgd_3: {name: pgd, steps: 3}", "pgd_3: {name: pgd, steps: 4}",
        {j for d in EVALUATIONS for j in attacks(d, "pgd", "transfer")} | ACCURACY,
    ),
    "the steps of the attack in training": (
        "pgd_2: {name: pgd, steps: 2}", "pgd_2: {name: pgd, steps: 3}", FROM_PRETRAIN,
    ),
    "a new seed": ("seeds: [0]", "seeds: [0, 1]", NEW_SEED),
    "the fit's learning rate": (
        "epochs: 1, lr: 0.001", "epochs: 1, lr: 0.002", FROM_PROJECT,
    ),
    "a fraction": (
        "topk: {injection: {selection: {name: topk, fraction: 0.5}}",
        "topk: {injection: {selection: {name: topk, fraction: 0.6}}", FROM_TOPK,
    ),
    "a budget": (
        "fraction: 0.4}, allocate", "fraction: 0.3}, allocate",
        of("alloc", "fit_defence") | attacks("alloc") | costs("alloc")
        | collect(*COLLECTED) | ACCURACY,
    ),
    "a figure's style": (
        "noise_intensity: {name: noise_intensity}",
        "noise_intensity: {name: noise_intensity, width: 5}",
        {ToDo("draw_figure", "figure=noise_intensity")},
    ),
    "two numbers swapped": (
        "eps: {at: [12.75, 25.5]}", "eps: {at: [25.5, 12.75]}",
        {j for d in EVALUATIONS for j in attacks(d, "pgd")} | ACCURACY,
    ),
    "comments, order and spelling alone": (
        "pgd_3: {name: pgd, steps: 3}",
        "pgd_3:  # the same attack\n    steps: 3\n    name: 'pgd'\n    relative_step: 2.5", set(),
    ),
}  # fmt: skip

CODE_CHANGES = {
    "nenni/attacks/fgsm.py": (
        {j for d in EVALUATIONS for j in attacks(d, "fgsm")} | SWEEP | ACCURACY
    ),
    "nenni/attacks/pgd.py": (
        FROM_PRETRAIN - SWEEP - attacks("none", "fgsm") | SWEEP | attacks("none", "fgsm")
    ),
    "nenni/selection/random.py": (
        of("random", "fit_defence") | attacks("random") | costs("random")
        | collect(*COLLECTED) | ACCURACY
    ),
    "nenni/figures/noise_intensity.py": {ToDo("draw_figure", "figure=noise_intensity")},
    "nenni/figures/_style.py": {
        ToDo("draw_figure", f"figure={name}") for name in ("noise_intensity", "accuracy_vs_eps")
    },
    "hwmodel/presets/edge_npu.toml": (
        {j for d in EVALUATIONS for j in of(d, "cost_experiment")}
        | collect("operations", "reductions", "latency")
        | {ToDo("make_main_table"), ToDo("judge_claims")}
    ),
    "nenni/stages/claims.py": {ToDo("judge_claims")},
    "nenni/cli.py": set(),
    "nenni/projection/tap_shared.py": set(),
}  # fmt: skip


@pytest.mark.parametrize("change", CONFIG_CHANGES)
def test_a_change_of_the_config(finished: Project, change: str) -> None:
    old, new, expected = CONFIG_CHANGES[change]
    text = finished.config.read_text()
    assert text.count(old) == 1
    finished.config.write_text(text.replace(old, new))
    try:
        found = finished.to_do()
    finally:
        finished.config.write_text(text)
    assert found == expected


@pytest.mark.parametrize("file", CODE_CHANGES)
def test_a_change_of_the_code(finished: Project, file: str) -> None:
    path = finished.folder / file
    text = path.read_text()
    path.write_text(f"{text}\n# changed\n")
    try:
        found = finished.to_do()
    finally:
        path.write_text(text)
    assert found == CODE_CHANGES[file]


def test_touching_every_file_changes_nothing(finished: Project) -> None:
    for file in sorted(finished.folder.rglob("*")):
        if file.is_file() and ".snakemake" not in file.parts:
            file.touch()
    assert finished.to_do() == set()


def test_stages_are_targets(finished: Project) -> None:
    for stage in ("data", "pretrain", "profile", "project", "finetune", "attack", "hardware",
                  "tables", "figures"):  # fmt: skip
        jobs = {job.rule for job in finished.to_do(stage, "--forceall")}
        assert stage in jobs
        assert ("draw_figure" in jobs) == (stage == "figures")
        assert ("attack_experiment" in jobs) == (stage in ("attack", "tables", "figures"))


def test_a_deleted_result_is_made_again_in_the_same_bytes(finished: Project) -> None:
    before = finished.results()
    file = finished.folder / "results/tiny/tables/sweep.csv"
    file.write_text(file.read_text()[:-9])
    damaged = finished.run("nenni", "verify", "results/tiny")
    assert damaged.returncode == 1
    assert "results/tiny/tables/sweep.csv: is not what was written; delete it" in damaged.stdout
    assert finished.to_do() == {ToDo("draw_figure", "figure=noise_intensity")}
    file.unlink()
    assert finished.run("snakemake").returncode == 0
    assert finished.run("nenni", "verify", "results/tiny").returncode == 0
    assert finished.results() == before


def test_a_damaged_input_is_named(finished: Project, tmp_path: Path) -> None:
    weights = finished.folder / "results/tiny/bases/standard/seed9/weights.safetensors"
    good = weights.read_bytes()
    weights.write_bytes(good[:-100])
    try:
        failed = finished.run("snakemake")
        output = failed.stdout + failed.stderr
        assert failed.returncode != 0
        assert f"nenni: {weights.relative_to(finished.folder)}: is damaged" in output
        assert "Traceback" not in output
    finally:
        weights.write_bytes(good)
    assert finished.run("snakemake").returncode == 0
