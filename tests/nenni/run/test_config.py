"""Each mistake that the classes of a config find, by its key."""

from pathlib import Path

import pytest
from run_cases import check_mistake


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
        ("surrogate: {name: bpda}", "surrogate: {name: bdpa}", "attacks.bpda.surrogate.name: unknown surrogate 'bdpa'; known are: approximate_path, bpda, exact_path, soft_mask"),
    ],
)  # fmt: skip
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    check_mistake(tmp_path, old, new, message)
