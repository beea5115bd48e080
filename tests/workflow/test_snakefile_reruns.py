"""What each change re-runs, and what it leaves alone."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from workflow_project import Project


@pytest.fixture(autouse=True)
def _alone(shared: Path) -> Iterator[None]:
    """One test at a time changes the finished project, whichever worker has it."""
    with FileLock(shared / "changed.lock"):
        yield


COST = {
    "operations", "reductions", "latency", "energy", "crossovers", "speedups", "rooflines", "traffic",
    "verdicts",
}  # fmt: skip


COLLECTED = COST | {"fit", "errors"}


COMPARED = {"comparison", "comparison with times"}


ACCURACY = COMPARED | {
    "accuracy", "main", "claims", "figure accuracy_vs_eps", "controls", "figure controls",
}  # fmt: skip


SUITES = COMPARED | {"suites", "figure attack_suite"}


DIAGNOSED = {
    "diagnose at/topk/seed0", "collect diagnostics", "collect diagnostic_curves",
    "figure diagnostic_checks",
}  # fmt: skip


EVALUATIONS = {
    "none": ["fgsm", "pgd"],
    "topk": ["fgsm", "pgd", "transfer", "few_pgd_3", "few_bpda", "few_ddn"],
    "alloc": ["fgsm", "pgd"],
    "random": ["pgd"],
}


def attacks(defence: str, *names: str, seed: int = 0) -> set[str]:
    wanted = names or EVALUATIONS[defence]
    return {f"attack at/{defence}/seed{seed}/{n}" for n in EVALUATIONS[defence] if n in wanted}


def of(defence: str, *stages: str, seed: int = 0) -> set[str]:
    return {f"{stage} at/{defence}/seed{seed}" for stage in stages}


def collect(*tables: str) -> set[str]:
    return {f"collect {table}" for table in tables}


def costs(*defences: str, seed: int = 0) -> set[str]:
    return {j for d in defences for j in of(d, "describe", "hardware", seed=seed)}


SWEEP = {"sweep", "figure noise_intensity"}


FROM_TOPK = (
    of("topk", "project", "finetune") | attacks("topk") | costs("topk")
    | collect(*COLLECTED) | ACCURACY | SUITES | DIAGNOSED | {"overhead"}
)  # fmt: skip


FROM_PROJECT = (
    FROM_TOPK | of("alloc", "project") | of("random", "project") | attacks("alloc")
    | attacks("random") | costs("alloc", "random") | SWEEP
)  # fmt: skip


PAGE = {"page"}
"""Shows all that the run made, and the whole config."""


PROFILED = {"collect sensitivities", "figure layer_sensitivities"}


FROM_PRETRAIN = (
    FROM_PROJECT | attacks("none") | costs("none") | PROFILED | collect("histories")
    | {"pretrain at/seed0", "profile at/seed0"}
)  # fmt: skip


NEW_SEED = (
    {"pretrain at/seed1", "profile at/seed1"}
    | of("topk", "project", "finetune", seed=1) | of("alloc", "project", seed=1)
    | of("random", "project", seed=1) | costs("none", "topk", "alloc", "random", seed=1)
    | {j for d in EVALUATIONS for j in attacks(d, seed=1)}
    | collect(*COLLECTED, "histories") | ACCURACY | SUITES | PROFILED | {"overhead"}
    | {job.replace("seed0", "seed1") for job in DIAGNOSED}
)  # fmt: skip


CONFIG_CHANGES = {
    "an attack's steps": (
        "pgd_3: {name: pgd, steps: 3}", "pgd_3: {name: pgd, steps: 4}",
        {j for d in EVALUATIONS for j in attacks(d, "pgd", "transfer", "few_pgd_3")}
        | ACCURACY | SUITES,
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
        of("alloc", "project") | attacks("alloc") | costs("alloc")
        | collect(*COLLECTED) | ACCURACY,
    ),
    "a figure's style": (
        "noise_intensity: {name: noise_intensity}",
        "noise_intensity: {name: noise_intensity, width: 5}",
        {"figure noise_intensity"},
    ),
    "a surrogate of an attack": (
        "surrogate: {name: bpda}", "surrogate: {name: exact_path}",
        attacks("topk", "few_bpda") | ACCURACY | SUITES,
    ),
    "the diagnostics' examples": ("examples: 5, source", "examples: 6, source", DIAGNOSED),
    "two numbers swapped": (
        "eps: {at: [2.55, 12.75]}", "eps: {at: [12.75, 2.55]}",
        {j for d in EVALUATIONS for j in attacks(d, "pgd")} | ACCURACY,
    ),
    "the instruction set": (
        "threads: 1\n", "threads: 1\ninstruction_set: avx2\n",
        FROM_PRETRAIN | {"pretrain standard/seed9"},
    ),
    "comments, order and spelling alone": (
        "pgd_3: {name: pgd, steps: 3}",
        "pgd_3:  # the same attack\n    steps: 3\n    name: 'pgd'\n    relative_step: 2.5", set(),
    ),
}  # fmt: skip


CODE_CHANGES = {
    "nenni/adversary/attacks/fgsm.py": (
        {j for d in EVALUATIONS for j in attacks(d, "fgsm")} | SWEEP | ACCURACY | DIAGNOSED
    ),
    "nenni/adversary/attacks/ddn.py": (
        {j for d in EVALUATIONS for j in attacks(d, "few_ddn")} | ACCURACY | SUITES
    ),
    "nenni/adversary/attacks/square.py": DIAGNOSED,
    "nenni/adversary/surrogates/bpda.py": attacks("topk", "few_bpda") | ACCURACY | SUITES | DIAGNOSED,
    "nenni/adversary/attacks/pgd.py": (
        FROM_PRETRAIN
    ),
    "nenni/method/selection/random.py": (
        of("random", "project") | attacks("random") | costs("random")
        | collect(*COLLECTED) | ACCURACY
    ),
    "nenni/results/figures/noise_intensity.py": {"figure noise_intensity"},
    "nenni/results/figure_style.py": {
        f"figure {name}"
        for name in (
            "noise_intensity", "accuracy_vs_eps", "attack_suite", "diagnostic_checks",
            "layer_sensitivities", "controls",
        )
    },
    "hwmodel/presets/edge_npu.toml": (
        {j for d in EVALUATIONS for j in of(d, "hardware")}
        | collect(*COST)
        | COMPARED
        | {"main", "claims"}
    ),
    "nenni/run/stages/claims.py": {"claims"},
    "nenni/cli/main.py": set(),
    "nenni/method/projection/tap_shared.py": set(),
}  # fmt: skip


SLOW = {
    "nenni/adversary/attacks/ddn.py", "nenni/adversary/attacks/square.py",
    "nenni/adversary/surrogates/bpda.py", "nenni/method/selection/random.py",
    "nenni/results/figure_style.py",
    "the steps of the attack in training", "the fit's learning rate", "a budget",
    "a figure's style", "a surrogate of an attack", "the diagnostics' examples",
    "bases/standard/seed9/weights.safetensors",
}  # fmt: skip
"""More of a kind: others stand for them, and for each stage test_provenance.py, test_slices.py."""


def some(cases: Iterable[str]) -> list[Any]:
    """Cases of which those that others stand for are in the slow set."""
    return [pytest.param(c, marks=pytest.mark.slow) if c in SLOW else c for c in cases]


@pytest.mark.parametrize("change", some(CONFIG_CHANGES))
def test_a_change_of_the_config(finished: Project, change: str) -> None:
    old, new, expected = CONFIG_CHANGES[change]
    text = finished.config.read_text()
    assert text.count(old) == 1
    finished.config.write_text(text.replace(old, new))
    try:
        found = finished.to_do()
    finally:
        finished.config.write_text(text)
    assert found == (expected | PAGE if expected else set())


@pytest.mark.parametrize("file", some(CODE_CHANGES))
def test_a_change_of_the_code(finished: Project, file: str) -> None:
    path = finished.folder / file
    text = path.read_text()
    path.write_text(f"{text}\n# changed\n")
    try:
        found = finished.to_do()
    finally:
        path.write_text(text)
    assert found == (CODE_CHANGES[file] | PAGE if CODE_CHANGES[file] else set())


def test_a_change_of_a_template_makes_the_page_again(finished: Project) -> None:
    path = finished.folder / "nenni" / "results" / "page" / "templates" / "style.css"
    text = path.read_text()
    path.write_text(f"{text}\n/* changed */\n")
    try:
        found = finished.to_do()
    finally:
        path.write_text(text)
    assert found == PAGE


def test_touching_every_file_changes_nothing(finished: Project) -> None:
    for file in sorted(finished.folder.rglob("*")):
        if file.is_file() and ".snakemake" not in file.parts:
            file.touch()
    assert finished.to_do() == set()


@pytest.mark.long
def test_a_damaged_result_is_found_and_made_again_in_the_same_bytes(finished: Project) -> None:
    before = finished.results()
    name = "results/tiny/tables/sweep.csv"
    file = finished.folder / name
    file.write_text(file.read_text()[:-9])
    damaged = finished.run("nenni", "verify", "results/tiny")
    assert damaged.returncode == 1
    told = f"{name}: is not what was written; `snakemake --force {name}` makes it again"
    assert told in damaged.stdout
    assert finished.to_do() == {"figure noise_intensity"} | PAGE
    assert finished.run("snakemake", "--force", name).returncode == 0
    assert finished.run("nenni", "verify", "results/tiny").returncode == 0
    assert finished.results() == before
    assert finished.to_do() == set()


DAMAGED_INPUTS = {
    "bases/standard/seed9/weights.safetensors": (b"", "experiments/at/topk/seed0/attacks/transfer.csv"),
    "experiments/at/topk/seed0/layers.json": (b"0", "experiments/at/topk/seed0/cost/energy.csv"),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("file", some(DAMAGED_INPUTS))
def test_nothing_is_made_from_a_damaged_input(finished: Project, file: str) -> None:
    """The next jobs are asked for, find the damage, name it and the command; which is right."""
    before, (digit, of_it) = finished.results(), DAMAGED_INPUTS[file]
    name, product = f"results/tiny/{file}", finished.folder / "results/tiny" / of_it
    path = finished.folder / name
    content = path.read_bytes()
    where = content.rindex(digit, 0, len(content) - 1)
    path.write_bytes(content[:where] + bytes([content[where] ^ 1]) + content[where + 1 :])
    product.unlink()
    failed = finished.run("snakemake", str(product.relative_to(finished.folder)))
    output = failed.stdout + failed.stderr
    assert failed.returncode != 0
    assert f"{name}: is not what was written; `snakemake --force {name}` makes it again" in output
    assert "Traceback" not in output
    assert finished.run("snakemake", "--force", name).returncode == 0
    assert finished.run("snakemake").returncode == 0
    assert finished.results() == before
