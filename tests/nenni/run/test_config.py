"""Each mistake that the classes of a config find, by its key."""

import math
from pathlib import Path
from typing import Any

import pytest
from run_cases import DIGITS, check_mistake, refused_with

from nenni.run.config_file import read_yaml


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("threads: 1", "thread: 1", "thread: unknown key"),
        ("threads: 1", "threads: many", "threads: should be a valid integer, got 'many'"),
        ("threads: 1", "threads: 0", "threads: should be greater than or equal to 1, got 0"),
        ("run: mnist5k", "run: ../elsewhere", "run: String should match pattern '^[a-z0-9_]+$', got '../elsewhere'"),
        ("attack: pgd_7, eps: 76.5", "attack: pgd_7, eps: -8", "recipes.pgd_at.eps: should be greater than or equal to 0, got -8"),
        ("{name: topk, fraction: 0.25}", "{name: topk, fraction: 1.25}", "defences.topk_25.injection.selection.fraction: should be less than or equal to 1, got 1.25"),
        ("{name: topk, fraction: 0.25}", "{name: topk}", "defences.topk_25.injection.selection.fraction: is missing"),
        ("{name: topk, fraction: 0.25}", "{name: best}", "defences.topk_25.injection.selection.name: unknown selection 'best'; known are: all, block, channel, inverted, n_m, none, oracle, random, threshold, topk"),
        ("pgd_7: {name: pgd, steps: 7}", "pgd_7: {name: pgd, stpes: 7}", "attacks.pgd_7.stpes: unknown key"),
        ("pgd_7: {name: pgd, steps: 7}", "pgd_7: {name: pdg}", "attacks.pgd_7.name: unknown attack 'pdg'; known are: apgd, apgd_targeted, autoattack, bim, cw_l2, cw_linf, ddn, deepfool, fgsm, fmn, hopskipjump, mask_flip, mi_fgsm, pgd, random_noise, rays, square"),
        ("pgd_7: {name: pgd, steps: 7}", "pgd_7: {name: ../pgd}", "attacks.pgd_7.name: unknown attack '../pgd'; known are: apgd, apgd_targeted, autoattack, bim, cw_l2, cw_linf, ddn, deepfool, fgsm, fmn, hopskipjump, mask_flip, mi_fgsm, pgd, random_noise, rays, square"),
        ("data: {name: mnist5k}", "data: {name: mnist6k}", "data.mnist5k.data.name: unknown data 'mnist6k'; known are: cifar10, cifar100, fashion_mnist, image_folder, medmnist, mnist, mnist5k, npz, svhn"),
        ("weight_bits: 4", "weight_bits: 9", "injection.weight_bits: should be 2, 3, 4, 5, 6, 7, 8, 16 or 32, got 9"),
        ("{name: n_m, n: 2, m: 4}", "{name: n_m, n: 4, m: 2}", "defences.nm_2_4.injection.selection.n: should be at most m = 2"),
        ("method: {name: standard}, epochs: 8", "epochs: 8", "recipes.standard.method: is missing"),
        ("lr: 0.003, shift: 2}\n  pgd_at", "lr: 0.003, schedule: {name: cosin}}\n  pgd_at", "recipes.standard.schedule.name: unknown schedule 'cosin'; known are: cosine, one_cycle, piecewise"),
        ("{name: adversarial}, epochs: 12", "{name: fgsm_rs, alpha: 0}, epochs: 12", "recipes.pgd_at.method.alpha: should be greater than 0, got 0"),
        ("small_cnn: {name: small_cnn,", "small_cnn: {name: 'torchvision:resnet18',", "models.small_cnn.channels: unknown key"),
        ("lr: 0.003, shift: 2}\n  pgd_at", "lr: 0.003, average: 1}\n  pgd_at", "recipes.standard.average: should be less than 1, got 1"),
        ("pgd_at: {linf: 76.5, l2: 2}", "pgd_at: {linf: 0, l2: 2}", "suites.full.eps.pgd_at.linf: should be greater than 0, got 0"),
        ("ddn: {name: ddn}", "ddn: {name: ddn, norm: linf}", "attacks.ddn.norm: should be 'l2', got 'linf'"),
        ("fgsm: {name: fgsm}", "fgsm: {name: fgsm, compile: 1}", "attacks.fgsm.compile: should be true or false, got 1"),
        ("surrogate: {name: bpda}", "surrogate: {name: bdpa}", "attacks.bpda.surrogate.name: unknown surrogate 'bdpa'; known are: approximate_path, bpda, exact_path, one_draw, soft_mask"),
    ],
)  # fmt: skip
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    check_mistake(tmp_path, old, new, message)


LONG, HUGE = "x" * 300, 10**40
MODEL = {"name": "resnet18"}


@pytest.mark.parametrize(
    ("place", "values"),
    [
        ("figures.noise_intensity.width", [math.nan, math.inf, -math.inf, 1e308, -1e308]),
        ("models.small_cnn.mean.0", [math.nan, math.inf, -math.inf, 1e308, -1e308]),
        ("attacks.smoothed.sigma", [1e308]),
        ("recipes.standard.lr", [1e308]),
        ("profile.noises.0", [1e308]),
        ("fit.ridge", [1e308]),
    ],
)
def test_numbers_are_finite_in_single_precision(
    tmp_path: Path, place: str, values: list[float]
) -> None:
    for value in values:
        changes: dict[str, Any] = {place: value}
        if place.startswith("models"):
            changes = {"models.small_cnn": {**MODEL, "mean": [value]}}
        found = refused_with(tmp_path, changes)
        assert any(line.startswith(f"{place}: should be ") for line in found)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("threads", HUGE, "should be less than or equal to 1024, got 1000"),
        ("processes", 2**31, "should be less than or equal to 1024"),
        ("recipes.standard.epochs", 10**12, "should be less than or equal to 2147483647"),
        ("recipes.standard.momentum", 1, "should be less than 1, got 1"),
        ("seeds", [0, HUGE], "should be less than or equal to 2147483647"),
        ("attacks.pgd_7.steps", HUGE, "should be less than or equal to 2147483647"),
        ("defences.nm_2_4.injection.selection.m", 10**9, "should be less than or equal to 1024"),
        ("models.small_cnn.channels", [], "List should have at least 1 item"),
        ("models.small_cnn.channels", [10**9], "should be less than or equal to 65536"),
        ("models.small_cnn", {**MODEL, "mean": []}, "List should have at least 1 item"),
        ("models.small_cnn", {**MODEL, "std": [1e-320]}, "should be greater than or equal to 0.000000001"),
        ("models.small_cnn", {"name": "resnet_cifar", "depth": 21}, "should be 6 n + 2, such as 20 or 32, got 21"),
        ("models.small_cnn", {"name": "wide_resnet", "depth": 4}, "should be 6 n + 4, such as 22 or 34, got 4"),
        ("figures.noise_intensity.width", 0, "should be greater than or equal to 1"),
        ("figures.noise_intensity.height", -3, "should be greater than or equal to 1"),
        ("figures.noise_intensity.height", 400, "should be less than or equal to 20"),
        ("figures.bitops_per_layer.defences", [], "List should have at least 1 item"),
        ("figures.injected_noise.defences", ["topk_50", "topk_50"], "topk_50 is given 2 times"),
        ("figures.attack_suite.suite", "a\nb", "String should match pattern"),
        ("evaluations.fgsm.defences", [], "List should have at least 1 item"),
        ("evaluations.fgsm.eps", {}, "Dictionary should have at least 1 item"),
        ("suites.full.eps", {}, "Dictionary should have at least 1 item"),
        ("diagnose.eps", {}, "Dictionary should have at least 1 item"),
        ("experiments", {}, "Dictionary should have at least 1 item"),
        ("experiments.standard", [], "List should have at least 1 item"),
        ("presets", ["server_cpu", "server_cpu"], "server_cpu is given 2 times"),
        ("tables.compare_with", ["none", "none"], "none is given 2 times"),
        ("profile.noises", [0.1, 0.1 + 1e-10], "0.1 and 0.1000000001 are the same in a table"),
        ("sweep.fractions", [0, 0], "0.0 is given 2 times"),
        ("sweep.ratios", [0.1, 0.1 + 1e-10], "0.1 and 0.1000000001 are the same in a table"),
        ("injection.layers", [""], "should be a pattern of names"),
        ("injection.layers", ["!type:"], "should be a pattern of names"),
        ("run", LONG, "String should have at most 100 characters"),
        ("plugins", ["\0"], "there is no folder '\\x00'"),
        ("bases.standard.weights", "a\nb", "should be a path, of printable characters"),
        ("bases.standard.weights", LONG, "should be a path of at most 1000 bytes"),
        ("data.mnist5k.data", {"name": "npz", "train": "a/" * 900}, "should be a path of at most"),
        ("data.mnist5k.data", {"name": "npz", "train": ""}, "should be a path"),
        ("data.mnist5k.data", {"name": "npz", "train": "a", "n_classes": 1}, "should be greater than or equal to 2"),
        ("data.mnist5k.data", {"name": "image_folder", "train": "a", "size": 10**6}, "should be less than or equal to 16384"),
    ],
)  # fmt: skip
def test_values_that_would_fail_in_a_job(
    tmp_path: Path, place: str, value: Any, message: str
) -> None:
    found = refused_with(tmp_path, {place: value})
    assert any(line.startswith(place) and f": {message}" in line for line in found), found
    assert all(line.isprintable() and len(line) < 1000 for line in found)


@pytest.mark.parametrize(
    "name", [["a:b"], "..:..", ":", "a:", ":b", "a b:c", "a:b:c", {"a:b": 1}, 1, "torchvision:x\n"]
)
@pytest.mark.parametrize("place", ["models.small_cnn", "attacks.fgsm", "data.mnist5k.data"])
def test_names_that_no_plugin_has(tmp_path: Path, place: str, name: Any) -> None:
    found = refused_with(tmp_path, {place: {"name": name}})
    assert any(line.startswith(f"{place}") for line in found), found


@pytest.mark.parametrize(
    ("part", "name"),
    [("evaluations", "fgsm"), ("suites", "full"), ("bases", "standard"), ("defences", "topk_50"),
     ("data", "mnist5k"), ("figures", "speedup"), ("models", "small_cnn"), ("attacks", "fgsm")],
)  # fmt: skip
def test_names_of_which_no_file_can_be_made(tmp_path: Path, part: str, name: str) -> None:
    content = read_yaml(DIGITS)[part]
    found = refused_with(
        tmp_path, {part: {LONG if n == name else n: v for n, v in content.items()}}
    )
    assert any("String should have at most 100 characters" in line for line in found)


@pytest.mark.parametrize(
    ("place", "near"),
    [
        ("thread", "threads"),
        ("recipes.standard.epochz", "epochs"),
        ("attacks.pgd_7.stpes", "steps"),
        ("attacks.pgd_7.surogate", "surrogate"),
        ("attacks.pgd_7.surrogates", "surrogate"),
        ("models.small_cnn.channel", "channels"),
        ("bases.standard.receipe", "recipe"),
        ("evaluations.transfer.source.sed", "seed"),
        ("suites.full.atacks", "attacks"),
        ("diagnose.exemples", "examples"),
        ("injection.weigth_bits", "weight_bits"),
        ("defences.topk_50.injection.alocate", "allocate"),
        ("defences.topk_50.injection.selection.fractoin", "fraction"),
        ("figures.noise_intensity.widht", "width"),
        ("tables.colums", "columns"),
    ],
)
def test_a_misspelt_key_is_told_with_the_nearest(tmp_path: Path, place: str, near: str) -> None:
    found = refused_with(tmp_path, {place: 1})
    assert f"{place}: unknown key; did you mean '{near}'?" in found


def test_a_key_that_is_like_no_other_is_told_alone(tmp_path: Path) -> None:
    assert refused_with(tmp_path, {"sweep.zzz": 1}) == ["sweep.zzz: unknown key"]
