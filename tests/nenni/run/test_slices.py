"""Each slice of the config holds what its stage reads, and nothing else."""

from pathlib import Path

import pytest
from run_cases import CLAIMS, DIGITS, parts

from nenni.run.config_file import load_claims, load_config
from nenni.run.slices import Slices, canonical

TOPK = {"base": "pgd_at", "defence": "topk_50", "seed": "0"}
ALLOC = TOPK | {"defence": "alloc_50"}


def slices(s: Slices) -> dict[str, str]:
    base = {"base": "pgd_at", "seed": "0"}
    found = {
        "data": s.of("data", data="mnist5k"),
        "pretrain": s.of("pretrain", **base),
        "pretrain standard": s.of("pretrain", base="standard", seed="0"),
        "profile": s.of("profile", **base),
        "project": s.of("project", **TOPK),
        "project alloc": s.of("project", **ALLOC),
        "finetune": s.of("finetune", **TOPK),
        "finetune alloc": s.of("finetune", **ALLOC),
        "attack": s.of("attack", **TOPK, evaluation="pgd_20"),
        "attack alloc": s.of("attack", **ALLOC, evaluation="pgd_20"),
        "attack fgsm": s.of("attack", **TOPK, evaluation="fgsm"),
        "attack suite": s.of("attack", **TOPK, evaluation="full_square"),
        "diagnose": s.of("diagnose", **TOPK),
        "describe": s.of("describe", **TOPK),
        "card": s.of("card", **TOPK),
        "sweep": s.of("sweep"),
        "main": s.of("main"),
        "figure": s.of("figure", figure="noise_intensity"),
        "figure recall": s.of("figure", figure="selection_recall"),
        "figure ablation": s.of("figure", figure="ablation_fraction"),
        "comparison": s.of("comparison"),
        "controls": s.of("controls"),
        "claims": s.of("claims"),
    }
    return {name: canonical(value) for name, value in found.items()}


def test_times_are_compared_with_the_same_fine_tuning_of_the_same_base(tmp_path: Path) -> None:
    """Where a base has none, as the one that is trained on clean images, with nothing."""
    file = tmp_path / "config.yaml"
    dear = "finetunes:\n  dear: {epochs: 2, lr: 0.001, parameters: everything, attack: pgd_20}\n"
    more = "defences:\n  none_dear: {finetune: dear}\n  random_dear: {injection: {selection: {name: random, fraction: 0.5}}, finetune: dear}\n"
    text = DIGITS.read_text().replace("finetunes:\n", dear, 1).replace("defences:\n", more, 1)
    file.write_text(text.replace("pgd_at: [none, ", "pgd_at: [none, none_dear, random_dear, ", 1))
    controls = Slices(load_config(file), load_claims(CLAIMS)).of("overhead")["controls"]
    assert controls["standard"] == {"topk_50": None}
    dears = {"none_dear", "random_dear"}
    assert {d: c for d, c in controls["pgd_at"].items() if d in dears} == dict.fromkeys(
        dears, "none_dear"
    )
    assert {c for d, c in controls["pgd_at"].items() if d not in dears} == {"none_ft"}


@pytest.mark.parametrize(
    ("old", "new", "touched"),
    [
        ("pgd_20: {name: pgd, steps: 20}", "pgd_20: {name: pgd, steps: 30}", {"attack", "attack alloc", "sweep", "claims"}),
        ("pgd_7: {name: pgd, steps: 7}", "pgd_7: {name: pgd, steps: 8}", {"pretrain", "finetune", "finetune alloc"}),
        ("epochs: 0, lr: 0.001, batch_size: 128", "epochs: 0, lr: 0.002, batch_size: 128", {"project", "project alloc", "sweep"}),
        ("epochs: 2, lr: 0.001, parameters", "epochs: 2, lr: 0.002, parameters", {"finetune", "finetune alloc"}),
        ("{name: topk, fraction: 0.5}, allocate", "{name: topk, fraction: 0.4}, allocate", {"project alloc", "finetune alloc", "attack alloc"}),
        ("{name: topk, fraction: 0.5}, allocate: true", "{name: block, fraction: 0.5}, allocate: true", {"project alloc", "finetune alloc", "attack alloc"}),
        ("epochs: 2, lr: 0.001, parameters", "recipe: standard, epochs: 2, lr: 0.001, parameters", {"finetune", "finetune alloc", "claims"}),
        ("epochs: 2, lr: 0.001, parameters", "recipe: pgd_at, epochs: 2, lr: 0.001, parameters", {"claims"}),
        ("noise_intensity: {name: noise_intensity}", "noise_intensity: {name: noise_intensity, width: 5}", {"figure"}),
        ("topk_25: {injection: {selection: {name: topk, fraction: 0.25}", "topk_25: {injection: {selection: {name: topk, fraction: 0.2}", {"figure ablation"}),
        ("[none_ft, random_50, inverted_50]", "[none_ft, random_50]", {"controls"}),
        ("seeds: [0, 1]", "seeds: [0, 1, 2]", set()),
        ("square, queries: 5000", "square, queries: 900", {"attack suite"}),
        ("    examples: 160\n    subsets", "    examples: 100\n    subsets", {"attack suite"}),
        ("examples: 60\n  source", "examples: 50\n  source", {"diagnose"}),
        ("noises: [0.1,", "noises: [0.15,", {"profile"}),
        ("threads: 1", "threads:   1   # spelt otherwise", set()),
        ("device: cpu", "device: cpu\ndeterministic: false\ntf32: false", set()),
        ("pgd_20: {name: pgd, steps: 20}", "pgd_20: {steps: 20, relative_step: 2.5, name: pgd}", set()),
    ],
)  # fmt: skip
def test_a_change_reaches_what_reads_it(
    tmp_path: Path, old: str, new: str, touched: set[str]
) -> None:
    before, after = slices(parts(tmp_path)[1]), slices(parts(tmp_path, old, new)[1])
    assert {name for name in before if before[name] != after[name]} == touched


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("pgd_20: {name: pgd, steps: 20}", "pgd_20: {name: pgd, steps: 30}", True),
        ("seeds: [0, 1]", "seeds: [0, 1, 2]", True),
        ("device: cpu", "device: cpu\ndeterministic: false", True),
        ("noise_intensity: {name: noise_intensity}", "noise_intensity: {name: noise_intensity, width: 5}", True),
        ("threads: 1", "threads:   1   # spelt otherwise", False),
        ("pgd_20: {name: pgd, steps: 20}", "pgd_20: {steps: 20, relative_step: 2.5, name: pgd}", False),
    ],
)  # fmt: skip
def test_the_page_shows_the_whole_config(tmp_path: Path, old: str, new: str, again: bool) -> None:
    before, after = (parts(tmp_path, *change)[1].of("page") for change in ((), (old, new)))
    assert (canonical(before) != canonical(after)) == again
    assert before["run"] == "mnist5k"
    assert set(before["bases"]) == {"pgd_at", "standard"}
    assert before["defences"]["none"]["injection"] is None
    assert before["defences"]["alloc_50"]["allocate"] is True


def test_an_order_of_channels_reaches_the_injection_alone(tmp_path: Path) -> None:
    tiles = "{name: topk, fraction: 0.5}, allocate: true", "{name: block, fraction: 0.5}"
    before = slices(parts(tmp_path, *tiles)[1])
    after = slices(parts(tmp_path, tiles[0], tiles[1] + ", order_channels: true")[1])
    assert {name for name in before if before[name] != after[name]} == {"project alloc"}


def test_what_a_gpu_is_told_reaches_the_stages_that_use_it(tmp_path: Path) -> None:
    of_gpu = slices(parts(tmp_path, "device: cpu", "device: cuda")[1])
    faster = slices(parts(tmp_path, "device: cpu", "device: cuda\ndeterministic: false")[1])
    touched = {name for name in of_gpu if of_gpu[name] != faster[name]}
    assert touched == {name for name in of_gpu if '"device":"cuda"' in of_gpu[name]}
    assert {"pretrain", "finetune", "attack", "diagnose", "describe", "sweep"} <= touched


def test_an_instruction_set_reaches_what_computes_with_torch(tmp_path: Path) -> None:
    before = slices(parts(tmp_path)[1])
    after = slices(parts(tmp_path, "device: cpu", "device: cpu\ninstruction_set: avx2")[1])
    touched = {name for name in before if before[name] != after[name]}
    assert touched == before.keys() - {
        "data", "main", "figure", "figure recall", "figure ablation", "comparison", "controls", "claims",
    }  # fmt: skip
    assert all('"instruction_set":"avx2"' in after[name] for name in touched)
    gpu = slices(parts(tmp_path, "device: cpu", "device: cuda\ninstruction_set: avx2")[1])
    assert all('"instruction_set":"avx2"' in gpu[name] for name in touched)


def test_radii_are_in_units_of_the_input(tmp_path: Path) -> None:
    s = parts(tmp_path)[1]
    assert s.of("attack", **TOPK, evaluation="full_autoattack")["examples"] == 30
    assert s.of("attack", **TOPK, evaluation="full_ddn")["eps"] == [2.0]
    assert s.of("attack", **TOPK, evaluation="full_square")["eps"] == [76.5 / 255]
    assert s.of("pretrain", base="pgd_at", seed="0")["recipe"]["eps"] == 76.5 / 255
    assert s.of("main")["eps"] == {"pgd_at": 76.5 / 255, "standard": 25.5 / 255}
    assert s.of("main")["norm"] == "linf"


def test_a_slice_names_the_folders_of_its_plugins_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nenni.core.plugins._folders", {})
    mine = tmp_path / "mine"
    (mine / "selection").mkdir(parents=True)
    (mine / "selection" / "own.py").write_text(
        "from nenni.method.selection.random import Random\n\n"
        '__all__ = ["Own"]\n\n@dataclass(frozen=True)\nclass Own(Random):\n    fraction: Fraction = 0.5\n'
    )
    file = tmp_path / "config.yaml"
    text = DIGITS.read_text().replace("run: mnist5k", f"run: mnist5k\nplugins: ['{mine}']")
    file.write_text(text.replace("{name: topk, fraction: 0.5}}", "{name: own}}"))
    config = load_config(file)
    s = Slices(config, load_claims(CLAIMS))
    assert s.of("project", **TOPK)["plugins"] == [str(mine)]
    assert s.of("project", **TOPK)["injection"]["selection"] == {"name": "own", "fraction": 0.5}
    assert "plugins" not in s.of("project", **TOPK | {"defence": "topk_25"})


def test_a_fit_on_attacked_images_reads_the_recipe_of_its_base(tmp_path: Path) -> None:
    _, plain = parts(tmp_path)
    _, attacked = parts(tmp_path, "fit: {examples: 1000,", "fit: {examples: 1000, attacked: true,")
    assert "recipe" not in plain.of("project", **TOPK)
    recipe = attacked.of("project", **TOPK)["recipe"]
    assert recipe == attacked.of("pretrain", base="pgd_at", seed="0")["recipe"]
    assert attacked.of("sweep")["recipe"] == recipe
    assert "recipe" not in attacked.of("attack", **TOPK, evaluation="pgd_20")


def test_fine_tuning_has_an_attack_of_its_own(tmp_path: Path) -> None:
    path, text = tmp_path / "config.yaml", DIGITS.read_text()
    own = "  own: {epochs: 2, lr: 0.001, parameters: everything, attack: pgd_20}\n"
    text = text.replace("finetunes:\n", f"finetunes:\n{own}")
    path.write_text(text.replace("m: 4}}, finetune: short}", "m: 4}}, finetune: own}"))
    claims = load_claims(CLAIMS)
    plain, other = (Slices(load_config(file), claims) for file in (DIGITS, path))
    of = {"base": "pgd_at", "defence": "nm_2_4", "seed": "0"}
    before, after = (s.of("finetune", **of) for s in (plain, other))
    attack = before["recipe"]["attack"] | {"steps": 20}
    assert after["recipe"] == before["recipe"] | {"attack": attack}
    assert after["finetune"] == before["finetune"]
    trained = {"base": "pgd_at", "seed": "0"}
    assert other.of("pretrain", **trained) == plain.of("pretrain", **trained)
