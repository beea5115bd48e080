"""Each slice of the config holds what its stage reads, and nothing else."""

from pathlib import Path
from typing import Any

import pytest

from nenni.run.config_file import load_claims, load_config
from nenni.run.experiment import Experiment
from nenni.run.plan import Plan, canonical, code

DEFAULT = Path(__file__).parents[3] / "config" / "config.yaml"
TOPK = Experiment("pgd_at", "topk_50", 0)
ALLOC = Experiment("pgd_at", "alloc_50", 0)


def plan(tmp_path: Path, old: str = "", new: str = "") -> Plan:
    text = DEFAULT.read_text()
    assert old in text
    file = tmp_path / "config.yaml"
    file.write_text(text.replace(old, new) if old else text)
    config = load_config(file)
    return Plan(config, load_claims(DEFAULT.with_name("claims.yaml"), config))


def slices(p: Plan) -> dict[str, str]:
    found: dict[str, Any] = {
        "data": p.data("mnist5k"),
        "pretrain": p.pretrain("pgd_at", 0),
        "pretrain standard": p.pretrain("standard", 0),
        "profile": p.profile("pgd_at", 0),
        "project": p.project(TOPK),
        "project alloc": p.project(ALLOC),
        "finetune": p.finetune(TOPK),
        "finetune alloc": p.finetune(ALLOC),
        "attack": p.attack(TOPK, "pgd_20"),
        "attack alloc": p.attack(ALLOC, "pgd_20"),
        "attack fgsm": p.attack(TOPK, "fgsm"),
        "attack suite": p.attack(TOPK, "full_square"),
        "diagnose": p.diagnose(TOPK),
        "describe": p.describe(TOPK),
        "sweep": p.sweep(),
        "main": p.main(),
        "figure": p.figure("noise_intensity"),
        "figure recall": p.figure("selection_recall"),
        "claims": p.claims_slice(),
    }
    return {name: canonical(value) for name, value in found.items()}


@pytest.mark.parametrize(
    ("old", "new", "touched"),
    [
        ("pgd_20: {name: pgd, steps: 20}", "pgd_20: {name: pgd, steps: 30}", {"attack", "attack alloc", "sweep"}),
        ("pgd_7: {name: pgd, steps: 7}", "pgd_7: {name: pgd, steps: 8}", {"pretrain", "finetune", "finetune alloc"}),
        ("epochs: 0, lr: 0.001, batch_size: 128", "epochs: 0, lr: 0.002, batch_size: 128", {"project", "project alloc", "sweep"}),
        ("epochs: 2, lr: 0.001, parameters", "epochs: 2, lr: 0.002, parameters", {"finetune", "finetune alloc"}),
        ("{name: topk, fraction: 0.5}, allocate", "{name: topk, fraction: 0.4}, allocate", {"project alloc", "finetune alloc", "attack alloc"}),
        ("noise_intensity: {name: noise_intensity}", "noise_intensity: {name: noise_intensity, width: 5}", {"figure"}),
        ("seeds: [0, 1]", "seeds: [0, 1, 2]", set()),
        ("square, queries: 1000", "square, queries: 900", {"attack suite"}),
        ("    examples: 160\n    subsets", "    examples: 100\n    subsets", {"attack suite"}),
        ("examples: 60\n  source", "examples: 50\n  source", {"diagnose"}),
        ("noises: [0.1,", "noises: [0.15,", {"profile"}),
        ("threads: 1", "threads:   1   # spelt otherwise", set()),
        ("pgd_20: {name: pgd, steps: 20}", "pgd_20: {steps: 20, relative_step: 2.5, name: pgd}", set()),
    ],
)  # fmt: skip
def test_a_change_reaches_what_reads_it(
    tmp_path: Path, old: str, new: str, touched: set[str]
) -> None:
    before, after = slices(plan(tmp_path)), slices(plan(tmp_path, old, new))
    assert {name for name in before if before[name] != after[name]} == touched


def test_jobs_of_the_default_run(tmp_path: Path) -> None:
    p = plan(tmp_path)
    assert len(p.experiments()) == 20
    assert p.bases() == [
        ("pgd_at", 0),
        ("pgd_at", 1),
        ("standard", 0),
        ("standard", 1),
        ("standard", 100),
    ]
    members = [f"full_{attack}" for attack in p.config.suites["full"].attacks]
    assert p.evaluations(TOPK) == ["fgsm", "pgd_20", "pgd_20_curve", "transfer", *members]
    plain = p.evaluations(Experiment("pgd_at", "none", 0))
    assert set(p.evaluations(TOPK)) - set(plain) == {"full_soft_mask", "full_bpda"}
    assert p.evaluations(Experiment("pgd_at", "topk_50", 1)) == ["fgsm", "pgd_20", "transfer"]
    assert p.attack(TOPK, "full_autoattack")["examples"] == 30
    assert p.attack(TOPK, "full_ddn")["eps"] == [2.0]
    assert p.attack(TOPK, "full_square")["eps"] == [76.5]
    assert p.diagnosed() == [
        Experiment("pgd_at", name, 0) for name in ("none", "none_ft", "topk_50", "inverted_50")
    ]
    assert "pgd_20_curve" not in p.evaluations(Experiment("pgd_at", "topk_50", 1))
    assert p.final_weights(Experiment("pgd_at", "none", 0)) == p.base_weights("pgd_at", 0)
    assert p.final_weights(TOPK).endswith("pgd_at/topk_50/seed0/finetuned.safetensors")


def test_code_of_a_stage_has_its_plugins_and_no_others(tmp_path: Path) -> None:
    p = plan(tmp_path)
    attack = {Path(f).as_posix() for f in code("attack", p.attack(TOPK, "pgd_20"))}

    def has(part: str) -> bool:
        return any(f.endswith(part) for f in attack)

    assert has("nenni/adversary/attacks/pgd.py")
    assert has("nenni/adversary/ball.py")
    assert has("nenni/method/selection/topk.py")
    assert has("nenni/method/ranking.py")
    assert has("nenni/networks/models/small_cnn.py")
    assert has("nenni/method/noisy_layer.py")
    for foreign in (
        "fgsm.py",
        "inverted.py",
        "tap_shared.py",
        "training/train.py",
        "method/fit.py",
        "cli/main.py",
    ):
        assert not has(f"/{foreign}")
    finetune = code("finetune", p.finetune(TOPK))
    assert any(f.endswith("nenni/adversary/attacks/pgd.py") for f in finetune)
    assert not any("attacks" in f for f in code("project", p.project(TOPK)))
    plain = code("describe", p.describe(Experiment("pgd_at", "none", 0)))
    assert not any("/selection/" in f or "/projection/" in f for f in plain)


def test_bases_that_differ_in_the_epoch_alone_are_trained_once(tmp_path: Path) -> None:
    old = "  pgd_at: {data: mnist5k, model: small_cnn, recipe: pgd_at}\n"
    p = plan(tmp_path, old, old + old.replace("pgd_at:", "best:").replace("}", ", keep: best}"))
    trained = p.base_weights("pgd_at", 0)
    assert trained == "results/mnist5k/bases/pgd_at/seed0/weights.safetensors"
    assert p.base_weights("best", 0) == trained.replace("weights", "best")
    assert p.base_weights("standard", 0) == trained.replace("pgd_at", "standard")


def test_files_that_a_config_names_are_inputs(tmp_path: Path) -> None:
    p = plan(tmp_path, "{name: mnist5k}", "{name: npz, train: a.npz, test: b.npz}")
    assert p.raw_files("mnist5k") == ["a.npz", "b.npz"]
    assert plan(tmp_path, "{name: mnist5k}", "{name: npz, train: a.npz}").raw_files("mnist5k") == [
        "a.npz"
    ]
    assert plan(tmp_path).raw_files("mnist5k") == []
    old = "  standard: {data: mnist5k, model: small_cnn, recipe: standard}"
    for weights, file in (("w.safetensors", "w.safetensors"), ("torchvision:DEFAULT", None)):
        p = plan(tmp_path, old, old.replace("}", f", weights: '{weights}'}}"))
        assert p.weights_file("standard") == file
        assert p.pretrain("standard", 0)["weights"] == weights
