"""Baselines of a config: what is refused, and what each job is told of them."""

from pathlib import Path
from typing import Any

import pytest
from run_cases import CLAIMS, DIGITS, refused_with

from nenni.run.config_file import load_claims, load_config
from nenni.run.experiment import Experiment
from nenni.run.plan import Files, Plan
from nenni.run.slices import Slices

PNI = {"name": "pni", "layers": [], "granularity": "layer", "where": "weights", "alpha": 0.25}
TOPK = {"selection": {"name": "topk", "fraction": 0.5}}


@pytest.mark.parametrize(
    ("defence", "message"),
    [
        ({"baseline": {"name": "pno"}}, "baseline.name: unknown baseline 'pno'; known are: "),
        ({"baseline": {"name": "pni", "where": "noses"}}, "baseline.where: should be 'weights', 'inputs' or 'activations', got 'noses'"),
        ({"baseline": {"name": "pni", "alpha": -1}}, "baseline.alpha: should be greater than or equal to 0, got -1"),
        ({"baseline": PNI, "injection": TOPK}, "baseline: cannot stand beside an injection: leave one of them out"),
        ({"without_noise": "nobody"}, "without_noise: unknown name 'nobody'; defined are: "),
        ({"without_noise": "none_ft"}, "without_noise: 'none_ft' has no baseline whose noise could be switched off"),
        ({"without_noise": "own"}, "without_noise: 'own' has no baseline whose noise could be switched off"),
        ({"without_noise": "noisy", "finetune": "short"}, "without_noise: takes the network of 'noisy' as it is: leave finetune out"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(defence: dict[str, Any], message: str, tmp_path: Path) -> None:
    places = {"defences.noisy": {"baseline": PNI}, "defences.own": defence}
    (line,) = refused_with(tmp_path, places)
    assert line.startswith(f"defences.own.{message}")


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (
            {"defences.topk_50.seeds": [7]},
            "defences.topk_50.seeds: unknown name '7'; defined are: ",
        ),
        ({"bases.standard.seeds": [0, 7]}, "bases.standard.seeds: unknown name '7'; defined are: "),
        (
            {"defences.none.seeds": [1], "bases.standard.seeds": [0]},
            "experiments.standard: 'none' has no seed: none of the run's is one of this base and",
        ),
    ],
)
def test_seeds_that_are_none_of_the_run_s_are_named(
    places: dict[str, Any], message: str, tmp_path: Path
) -> None:
    assert any(line.startswith(message) for line in refused_with(tmp_path, places))


@pytest.fixture
def config(tmp_path: Path) -> Any:
    file = tmp_path / "config.yaml"
    more = (
        "defences:\n  pni: {baseline: {name: pni}, finetune: short}\n"
        "  pni_as_is: {baseline: {name: pni}}\n  pni_off: {without_noise: pni}\n"
    )
    file.write_text(DIGITS.read_text().replace("defences:\n", more, 1))
    return load_config(file)


def test_files_of_a_baseline(config: Any) -> None:
    files = Files(Plan(config))
    pni, as_is, off = (Experiment("pgd_at", d, 0) for d in ("pni", "pni_as_is", "pni_off"))
    folder = "results/mnist5k/experiments/pgd_at"
    assert files.undefended_weights(pni) == f"{folder}/pni/seed0/defended.safetensors"
    assert files.final_weights(pni) == f"{folder}/pni/seed0/finetuned.safetensors"
    assert files.final_weights(as_is) == f"{folder}/pni_as_is/seed0/defended.safetensors"
    assert files.final_weights(off) == f"{folder}/pni_off/seed0/without_noise.safetensors"
    assert files.noisy_weights(off) == files.final_weights(pni)


def test_attacks_on_injected_networks_are_left_out(config: Any) -> None:
    plan = Plan(config)
    of = {d: plan.evaluations(Experiment("pgd_at", d, 0)) for d in ("pni", "none_ft", "topk_50")}
    assert set(of["pni"]) <= set(of["none_ft"]) | {"pgd_20_curve"}
    assert not any("soft_mask" in name for name in of["pni"])
    assert plan.experiments_with("fit") == [
        e for e in plan.experiments() if e.defence in ("topk_50", "topk_25", "nm_2_4", "alloc_50", "random_50", "inverted_50")
    ]  # fmt: skip


def test_each_job_is_told_the_baseline(config: Any) -> None:
    s = Slices(config, load_claims(CLAIMS))
    of = {"base": "pgd_at", "seed": "0"}
    named = {"defence": {"name": "baseline"}, "injection": None, "baseline": PNI}
    told = s.of("defend", defence="pni", **of)
    assert named.items() <= told.items()
    assert told["images"] == config.fit["batch_size"]
    for stage in ("finetune", "describe"):
        assert named.items() <= s.of(stage, defence="pni", **of).items()
    off = s.of("without_noise", defence="pni_off", **of)
    assert (named | {"noise": False}).items() <= off.items()
    assert {*s.of("overhead")["controls"]["pgd_at"].values()} == {"none_ft"}
    plain = s.of("describe", defence="none", **of)
    assert (plain["defence"], plain["injection"]) == (None, None)
    assert "baseline" not in plain
