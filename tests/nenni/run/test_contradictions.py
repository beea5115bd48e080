"""Each contradiction of a well-formed config, by its key."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from run_cases import DIGITS, check_mistake, refused_with

from nenni.run.config_file import load_config


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds: [0, 1]", "seeds: [0, 0]", "seeds: 0 is given 2 times"),
        ("run: mnist5k", "run: reference", "run: the name 'reference' is reserved for the committed results"),
        ("attack: pgd_7, eps: 76.5", "attack: pgd_7, eps: 0", "recipes.pgd_at.eps: should be above 0 where the recipe has an attack"),
        ("pgd_7: {name: pgd, steps: 7}", "pgd_7: {name: pgd, steps: 7, compile: true}", "recipes.pgd_at.attack: 'pgd_7' has compile: true, which a recipe says for all its passes"),
        ("attack: pgd_7, eps: 76.5", "attack: soft_mask, eps: 76.5", "recipes.pgd_at.attack: is an attack on injected networks, and bases are trained before injection"),
        ("standard: [none, topk_50]", "standard: [none, topk_60]", "experiments.standard: unknown name 'topk_60'; defined are: none, none_ft, topk_50, topk_25, nm_2_4, alloc_50, random_50, inverted_50"),
        ("standard: [none, topk_50]", "standard: [none, none]", "experiments.standard: none is given 2 times"),
        ("source: {base: standard, seed: 100}\n    eps", "source: {base: standard, seed: 1}\n    eps", "evaluations.transfer.source.seed: 1 is one of the run's seeds: the source of a transfer attack should be trained independently"),
        ("eps: {pgd_at: 76.5, standard: 25.5}\n  compare", "eps: {pgd_at: 7, standard: 25.5}\n  compare", "tables.eps.pgd_at: evaluation 'fgsm' has no eps 7 for this base"),
        ("{name: n_m, n: 2, m: 4}}", "{name: threshold, fraction: 0.5}, allocate: true}", "defences.nm_2_4.injection.allocate: selection 'threshold' has a threshold that the fit sets, so that no fraction that is tried would change a mask"),
        ("{name: n_m, n: 2, m: 4}}", "{name: n_m, n: 2, m: 4}, allocate: true}", "defences.nm_2_4.injection.allocate: selection 'n_m' has no fraction to allocate"),
        ("column: pgd_20}", "column: pgd_2o}", "figures.robustness_vs_bitops.column: unknown name 'pgd_2o'; defined are: fgsm, pgd_20, transfer"),
        ("attack_suite, suite: undefended}", "attack_suite, suite: undefendet}", "figures.undefended_suite.suite: unknown name 'undefendet'; defined are: full, undefended, randomised"),
        ("defences: [topk_50, nm_2_4, alloc_50]", "defences: [topk_5o]", "figures.bitops_per_layer.defences: unknown name 'topk_5o'"),
        ("latency_per_layer, base: pgd_at, defence: topk_50}", "latency_per_layer, base: pgd_at, defence: topk_9}", "figures.latency_per_layer.defence: unknown name 'topk_9'"),
        ("describe: {examples: 500}", "describe: {examples: 501}", "describe.examples: should be at most the 500 val images of base 'pgd_at'"),
        ("lr: 0.003, shift: 2}\n  pgd_at", "lr: 0.003, shift: 2, eps: 8}\n  pgd_at", "recipes.standard.eps: is given without an attack"),
        ("lr: 0.003, shift: 2}\n  pgd_at", "lr: 0.003, awp: 0.01}\n  pgd_at", "recipes.standard.awp: goes with an adversarial method"),
        ("method: {name: standard}", "method: {name: trades}", "recipes.standard.attack: is missing: method 'trades' is validated under it"),
        ("{name: adversarial}, epochs: 12, batch_size: 64, lr: 0.003, shift: 2, attack: pgd_7", "{name: fgsm_rs}, epochs: 12, batch_size: 64, lr: 0.003, attack: apgd_l2", "recipes.pgd_at.attack: method 'fgsm_rs' is for linf, attack 'apgd_l2' for l2"),
        ("pgd_at: {data: mnist5k, model: small_cnn, recipe: pgd_at}", "pgd_at: {data: mnist5k, model: small_cnn}", "bases.pgd_at.recipe: is missing, and so are weights: one of them is needed"),
        ("pgd_at: {data: mnist5k, model: small_cnn, recipe: pgd_at}", "pgd_at: {data: mnist5k, model: small_cnn, weights: w.pt}", "experiments.pgd_at: none_ft, topk_50, topk_25, nm_2_4, alloc_50, random_50, inverted_50 need the recipe of their base, which has none; name one in their finetunes"),
        ("clean: fgsm", "clean: nothing", "tables.clean: unknown name 'nothing'"),
        ("subsets: {autoattack: 30}", "subsets: {fgsm: 30}", "suites.full.subsets: unknown name 'fgsm'; defined are: pgd_20"),
        ("subsets: {autoattack: 30}", "subsets: {autoattack: 500}", "suites.full.subsets.autoattack: should be at most the suite's 160"),
        ("diagnose:\n  eps: {pgd_at: 76.5}", "diagnose:\n  eps: {pgd: 76.5}", "diagnose.eps: unknown name 'pgd'; defined are: pgd_at, standard"),
    ],
)  # fmt: skip
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    check_mistake(tmp_path, old, new, message)


@pytest.mark.parametrize("entry", ["attacks.square", "recipes.standard"])
@pytest.mark.parametrize("name", ["avx2", "avx512"])
def test_an_instruction_set_binds_no_compiler(tmp_path: Path, name: str, entry: str) -> None:
    changes = {f"{entry}.compile": True, "instruction_set": name}
    message = f"{entry}.compile: instruction_set: {name} does not bind a compiler; leave one of"
    (found,) = refused_with(tmp_path, changes)
    assert found.startswith(message)
    for allowed in ({"instruction_set": "auto"}, {"device": "cuda"}):
        text = yaml.safe_load(DIGITS.read_text()) | {"instruction_set": name} | allowed
        kind, _, part = entry.partition(".")
        text[kind][part]["compile"] = True
        (tmp_path / "allowed.yaml").write_text(yaml.safe_dump(text))
        load_config(tmp_path / "allowed.yaml")


SUITE = {"attacks": ["pgd_20"], "eps": {"pgd_at": {"linf": 76.5}}, "examples": 9}
PCA = {"name": "tap_shared_pca", "ratio": 0.25}
POOL = {"name": "resample", "pool": 2}
RESNET = {"name": "torchvision:resnet18"}
TOPK = "defences.topk_50.injection"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"presets": ["server_gpu"]}, "presets: unknown name 'server_gpu'; defined are: a100"),
        ({"energy_table": "nothing"}, "energy_table: unknown name 'nothing'; defined are: horowitz_45nm"),
        ({"processes": 65}, "processes: 65 share a batch of 64 images"),
        ({"processes": 9, "recipes.few": {"method": {"name": "standard"}, "epochs": 1, "batch_size": 8, "lr": 0.1}, "finetunes.short.recipe": "few"}, "processes: 9 share a batch of 8 images (recipe 'few')"),
        ({"suites.odd": SUITE | {"attacks": ["fgsm", "clean"]}, "attacks.clean": {"name": "fgsm"}}, "suites.odd.attacks.1: 'clean' is the row of the images as they are; name the attack otherwise"),
        ({"suites.full_pgd": SUITE | {"attacks": ["fgsm"]}, "suites.full": SUITE | {"attacks": ["pgd_fgsm"]}, "attacks.pgd_fgsm": {"name": "fgsm"}}, "suites.full_pgd: its attack 'fgsm' clashes with one of suite 'full'"),
        ({f"{TOPK}.projection": PCA, f"{TOPK}.noise": POOL}, f"{TOPK}.noise: 'resample' draws one of several"),
        ({f"{TOPK}.projection": PCA, f"{TOPK}.overrides": {"fc*": {"noise": POOL}}}, f"{TOPK}.overrides.fc*: 'resample' draws one of several"),
        ({f"{TOPK}.overrides": {"fc*": {"fraction": 0.1, "selection": {"name": "all"}}}}, f"{TOPK}.overrides.fc*.fraction: selection 'all' has no fraction"),
        ({"defences.nm_2_4.injection.overrides": {"*": {"fraction": 0.1}}}, "defences.nm_2_4.injection.overrides.*.fraction: selection 'n_m' has no fraction"),
        ({"evaluations.transfer.attack": "bpda"}, "evaluations.transfer.source: attack 'bpda' takes injected networks alone"),
        ({"finetunes.short.attack": "pgd_8"}, "finetunes.short.attack: unknown name 'pgd_8'; defined are: fgsm"),
        ({"finetunes.short.attack": "apgd_l2"}, "finetunes.short.attack: 'apgd_l2' is for l2, the recipe's eps for linf"),
        ({"finetunes.short.attack": "soft_mask"}, "finetunes.short.attack: is an attack on injected networks, and 'none_ft' is none"),
        ({"finetunes.short.attack": "pgd_7", "experiments.standard": ["none", "none_ft"]}, "finetunes.short.attack: the recipe of 'none_ft' on 'standard' has none, and no eps for one"),
        ({"finetunes.short.attack": "pgd_7", "finetunes.short.recipe": "standard"}, "finetunes.short.attack: the recipe of 'none_ft' on 'pgd_at' has none, and no eps for one"),
        ({"finetunes.short.recipe": "pgd_ta"}, "finetunes.short.recipe: unknown name 'pgd_ta'; defined are: standard, pgd_at"),
        ({f"{TOPK}.order_channels": True}, f"{TOPK}.order_channels: is for tiles, and selection 'topk' has none; 'block' has"),
        ({TOPK: {"selection": {"name": "block", "fraction": 0.5}, "order_channels": True, "overrides": {"fc*": {"score": "magnitude"}}}}, f"{TOPK}.overrides.fc*.score: cannot differ between layers where channels are ordered"),
        ({"fit.attacked": True, "experiments": {"standard": ["none", "topk_50"]}, "bases.standard": {"data": "mnist5k", "model": "small_cnn", "weights": "w.pt"}}, "fit.attacked: the base 'standard' has no recipe that would attack the images of a fit"),
        ({"bases.standard": {"data": "mnist5k", "model": "small_cnn", "weights": "w.pt"}}, "evaluations.transfer.source.base: 'standard' has the same weights for every seed"),
        ({"bases.standard.trained_by": "standard"}, "bases.standard.trained_by: is of weights of a file without a recipe; leave it out"),
        ({"bases.standard": {"data": "mnist5k", "model": "small_cnn", "weights": "w.pt", "trained_by": "fgsmrs"}}, "bases.standard.trained_by: unknown name 'fgsmrs'"),
        ({"bases.standard.weights": "torchvision:DEFAULT"}, "bases.standard.weights: torchvision:DEFAULT is for the model torchvision, not 'small_cnn'"),
        ({"evaluations.fgsm.eps.pgd_at": [76.5, 8, math.nextafter(8, 0)]}, "evaluations.fgsm.eps.pgd_at: 8.0 and 7.999999999999999 are the same radius"),
        ({"models.small_cnn": {"name": "torchvision:resnet5o"}}, "models.small_cnn.name: torchvision has no classifier 'resnet5o'; it has: resnet50"),
        ({"models.small_cnn": RESNET, "bases.standard.weights": "torchvision:IMAGENET1K_V3"}, "bases.standard.weights: torchvision has no weights 'IMAGENET1K_V3' of resnet18; it has: IMAGENET1K_V1, DEFAULT"),
        ({"models.small_cnn": RESNET, "bases.standard.weights": "torchvision:"}, "bases.standard.weights: torchvision has no weights '' of resnet18"),
        ({f"{TOPK}.overrides": {"!fc*": {"weight_bits": 8}}}, f"{TOPK}.overrides.!fc*: names no layer: '!' leaves layers exact"),
        ({"models.small_cnn": {"name": "torchvision", "model": "vit"}}, "models.small_cnn.model: torchvision has no classifier 'vit'"),
    ],
)  # fmt: skip
def test_values_at_odds(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    found = refused_with(tmp_path, changes)
    assert any(line.startswith(message) for line in found), found


def test_a_base_with_the_weights_of_others_is_trained_on_by_a_recipe_of_the_finetuning(
    tmp_path: Path,
) -> None:
    text = yaml.safe_load(DIGITS.read_text())
    text["bases"]["pgd_at"] = {"data": "mnist5k", "model": "small_cnn", "weights": "w.pt"}
    text["finetunes"]["short"]["recipe"] = "pgd_at"
    (tmp_path / "given.yaml").write_text(yaml.safe_dump(text))
    config = load_config(tmp_path / "given.yaml")
    assert config.finetunes["short"].recipe == "pgd_at"
