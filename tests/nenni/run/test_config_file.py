import sys
from pathlib import Path

import pytest
import yaml

from nenni.core import plugins
from nenni.core.errors import UserError
from nenni.run.config_file import load_claims, load_config, with_types

DEFAULT = Path(__file__).parents[3] / "config" / "config.yaml"


def refused(tmp_path: Path, text: str) -> str:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        load_config(file)
    message = str(caught.value)
    assert all(line.startswith(f"{file}: ") for line in message.splitlines())
    return message.replace(f"{file}: ", "")


def changed(old: str, new: str) -> str:
    text = DEFAULT.read_text()
    assert text.count(old) == 1, f"{old!r} should stand once in the default config"
    return text.replace(old, new)


def test_the_default_config_and_claims_are_accepted() -> None:
    config = load_config(DEFAULT)
    assert config.seeds == [0, 1]
    assert config.attacks["pgd_20"]["relative_step"] == 2.5
    assert load_claims(DEFAULT.with_name("claims.yaml"), config).claims


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("threads: 1", "thread: 1", "thread: unknown key"),
        ("threads: 1", "threads: many", "threads: should be a valid integer, got 'many'"),
        ("threads: 1", "threads: 0", "threads: should be greater than or equal to 1, got 0"),
        ("seeds: [0, 1]", "seeds: [0, 0]", "seeds: 0 is given 2 times"),
        ("run: mnist5k", "run: reference", "run: the name 'reference' is reserved for the committed results"),
        ("run: mnist5k", "run: ../elsewhere", "run: String should match pattern '^[a-z0-9_]+$', got '../elsewhere'"),
        ("attack: pgd_7, eps: 76.5", "attack: pgd_7, eps: -8", "recipes.pgd_at.eps: should be greater than or equal to 0, got -8"),
        ("attack: pgd_7, eps: 76.5", "attack: pgd_7, eps: 0", "recipes.pgd_at.eps: should be above 0 where the recipe has an attack"),
        ("attack: pgd_7, eps: 76.5", "attack: soft_mask, eps: 76.5", "recipes.pgd_at.attack: is an attack on injected networks, and bases are trained before injection"),
        ("{name: topk, fraction: 0.25}", "{name: topk, fraction: 1.25}", "defences.topk_25.injection.selection.fraction: should be less than or equal to 1, got 1.25"),
        ("{name: topk, fraction: 0.25}", "{name: topk}", "defences.topk_25.injection.selection.fraction: is missing"),
        ("{name: topk, fraction: 0.25}", "{name: best}", "defences.topk_25.injection.selection.name: unknown selection 'best'; known are: all, block, channel, inverted, n_m, none, oracle, random, threshold, topk"),
        ("pgd_7: {name: pgd, steps: 7}", "pgd_7: {name: pgd, stpes: 7}", "attacks.pgd_7.stpes: unknown key"),
        ("pgd_7: {name: pgd, steps: 7}", "pgd_7: {name: pdg}", "attacks.pgd_7.name: unknown attack 'pdg'; known are: autoattack, bim, cw_l2, cw_linf, ddn, deepfool, fgsm, hopskipjump, mask_flip, mi_fgsm, pgd, random_noise, square"),
        ("pgd_7: {name: pgd, steps: 7}", "pgd_7: {name: ../pgd}", "attacks.pgd_7.name: unknown attack '../pgd'; known are: autoattack, bim, cw_l2, cw_linf, ddn, deepfool, fgsm, hopskipjump, mask_flip, mi_fgsm, pgd, random_noise, square"),
        ("data: {name: mnist5k}", "data: {name: mnist6k}", "data.mnist5k.data.name: unknown data 'mnist6k'; known are: cifar10, cifar100, fashion_mnist, image_folder, medmnist, mnist, mnist5k, npz, svhn"),
        ("standard: [none, topk_50]", "standard: [none, topk_60]", "experiments.standard: unknown name 'topk_60'; defined are: none, none_ft, topk_50, topk_25, nm_2_4, alloc_50, random_50, inverted_50"),
        ("standard: [none, topk_50]", "standard: [none, none]", "experiments.standard: none is given 2 times"),
        ("source: {base: standard, seed: 100}\n    eps", "source: {base: standard, seed: 1}\n    eps", "evaluations.transfer.source.seed: 1 is one of the run's seeds: the source of a transfer attack should be trained independently"),
        ("eps: {pgd_at: 76.5, standard: 25.5}\n  compare", "eps: {pgd_at: 7, standard: 25.5}\n  compare", "tables.eps.pgd_at: evaluation 'fgsm' has no eps 7 for this base"),
        ("{name: n_m, n: 2, m: 4}}", "{name: n_m, n: 2, m: 4}, allocate: true}", "defences.nm_2_4.injection.allocate: selection 'n_m' has no fraction to allocate"),
        ("weight_bits: 4", "weight_bits: 9", "injection.weight_bits: should be 2, 3, 4, 5, 6, 7, 8, 16 or 32, got 9"),
        ("{name: n_m, n: 2, m: 4}", "{name: n_m, n: 4, m: 2}", "defences.nm_2_4.injection.selection.n: should be at most m = 2"),
        ("column: pgd_20}", "column: pgd_2o}", "figures.robustness_vs_bitops.column: unknown name 'pgd_2o'; defined are: fgsm, pgd_20, transfer"),
        ("defences: [topk_50, nm_2_4, alloc_50]", "defences: [topk_5o]", "figures.bitops_per_layer.defences: unknown name 'topk_5o'"),
        ("latency_per_layer, base: pgd_at, defence: topk_50}", "latency_per_layer, base: pgd_at, defence: topk_9}", "figures.latency_per_layer.defence: unknown name 'topk_9'"),
        ("describe: {examples: 500}", "describe: {examples: 501}", "describe.examples: should be at most the 500 val images of base 'pgd_at'"),
        ("lr: 0.003, shift: 2}\n  pgd_at", "lr: 0.003, shift: 2, eps: 8}\n  pgd_at", "recipes.standard.eps: is given without an attack"),
        ("lr: 0.003, shift: 2}\n  pgd_at", "lr: 0.003, awp: 0.01}\n  pgd_at", "recipes.standard.awp: goes with an adversarial method"),
        ("method: {name: standard}, epochs: 8", "epochs: 8", "recipes.standard.method: is missing"),
        ("lr: 0.003, shift: 2}\n  pgd_at", "lr: 0.003, average: 1}\n  pgd_at", "recipes.standard.average: should be below 1, or the weights never move"),
        ("method: {name: standard}", "method: {name: trades}", "recipes.standard.attack: is missing: method 'trades' is validated under it"),
        ("lr: 0.003, shift: 2}\n  pgd_at", "lr: 0.003, schedule: {name: cosin}}\n  pgd_at", "recipes.standard.schedule.name: unknown schedule 'cosin'; known are: cosine, one_cycle, piecewise"),
        ("{name: adversarial}, epochs: 12", "{name: fgsm_rs, alpha: 0}, epochs: 12", "recipes.pgd_at.method.alpha: should be greater than 0, got 0"),
        ("{name: adversarial}, epochs: 12, batch_size: 64, lr: 0.003, shift: 2, attack: pgd_7", "{name: fgsm_rs}, epochs: 12, batch_size: 64, lr: 0.003, attack: pgd_l2", "recipes.pgd_at.attack: method 'fgsm_rs' is for linf, attack 'pgd_l2' for l2"),
        ("pgd_at: {data: mnist5k, model: small_cnn, recipe: pgd_at}", "pgd_at: {data: mnist5k, model: small_cnn}", "bases.pgd_at.recipe: is missing, and so are weights: one of them is needed"),
        ("pgd_at: {data: mnist5k, model: small_cnn, recipe: pgd_at}", "pgd_at: {data: mnist5k, model: small_cnn, weights: w.pt}", "experiments.pgd_at: none_ft, topk_50, topk_25, nm_2_4, alloc_50, random_50, inverted_50 need the recipe of their base, which has none"),
        ("small_cnn: {name: small_cnn,", "small_cnn: {name: 'torchvision:resnet18',", "models.small_cnn.channels: unknown key"),
        ("clean: fgsm", "clean: nothing", "tables.clean: unknown name 'nothing'"),
        ("subsets: {autoattack: 30}", "subsets: {fgsm: 30}", "suites.full.subsets: unknown name 'fgsm'; defined are: pgd_20"),
        ("subsets: {autoattack: 30}", "subsets: {autoattack: 500}", "suites.full.subsets.autoattack: should be at most the suite's 160"),
        ("pgd_at: {linf: 76.5, l2: 2}", "pgd_at: {linf: 0, l2: 2}", "suites.full.eps.pgd_at.linf: should be greater than 0, got 0"),
        ("ddn: {name: ddn}", "ddn: {name: ddn, norm: linf}", "attacks.ddn.norm: should be 'l2', got 'linf'"),
        ("surrogate: {name: bpda}", "surrogate: {name: bdpa}", "attacks.bpda.surrogate.name: unknown surrogate 'bdpa'; known are: approximate_path, bpda, exact_path, soft_mask"),
        ("diagnose:\n  eps: {pgd_at: 76.5}", "diagnose:\n  eps: {pgd: 76.5}", "diagnose.eps: unknown name 'pgd'; defined are: pgd_at, standard"),
        ("topk_25: {injection", "topk_50: {injection", "topk_50: the name is given 2 times in the block at line"),
    ],
)  # fmt: skip
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    found = refused(tmp_path, changed(old, new)).splitlines()
    assert any(line.startswith(message) for line in found)
    expected = {
        "thread: 1": 2,
        "small_cnn: {name: 'torchvision:resnet18',": 2,
        "describe: {examples: 501}": 2,
        "eps: {pgd_at: 7, standard: 25.5}\n  compare": 3,
    }
    assert len(found) == expected.get(new, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; config/config.yaml shows what belongs in it"),
        ("# only a comment\n", "is empty; config/config.yaml shows what belongs in it"),
        ("- a\n- b\n", "should hold keys and values, as config/config.yaml does"),
        ("run: [1, 2\nseeds: 3", "is not valid YAML in line 2: "),
        ("run: !!python/object:os.system x", "is not valid YAML in line 1: could not determine a constructor"),
    ],
)  # fmt: skip
def test_unreadable_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    assert refused(tmp_path, text).startswith(message)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.yaml: cannot be read"):
        load_config(tmp_path / "nowhere.yaml")


def test_texts_of_the_command_line_get_their_types() -> None:
    """Snakemake reads ``--config 'data={...}'`` with numbers and words alike as texts."""
    given = {
        "seeds": [0, 1],
        "data": {"d": {"val": "100", "data": {"name": "npz", "test": "null"}}},
    }
    expected = {"seeds": [0, 1], "data": {"d": {"val": 100, "data": {"name": "npz", "test": None}}}}
    assert with_types(given) == expected


def test_overrides_replace_keys_and_are_checked() -> None:
    assert load_config(DEFAULT, {"seeds": [0, 7]}).seeds == [0, 7]
    with pytest.raises(UserError, match="sedes: unknown key"):
        load_config(DEFAULT, {"sedes": [7]})


def test_claims_that_contradict_themselves(tmp_path: Path) -> None:
    content = yaml.safe_load(DEFAULT.with_name("claims.yaml").read_text())
    content["claims"]["bitops_82_6"]["bits"] = None
    file = tmp_path / "claims.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=r"claims.bitops_82_6.bits: goes with"):
        load_claims(file, load_config(DEFAULT))


FIGURE = """
__all__ = ["own"]
def own(accuracy, latencies, tables, *, width: float = 1.0):
    pass
"""


def test_a_figure_of_a_table_that_no_run_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "_folders", {})
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "figure").mkdir()
    (tmp_path / "figure" / "own.py").write_text(FIGURE)
    text = changed("{name: noise_intensity}", "{name: own}")
    message = refused(tmp_path, f"plugins: ['{tmp_path}']\n{text}")
    assert message == (
        "figures.noise_intensity: draws the table 'latencies', which this run does not make; it "
        "makes: fit, errors, operations, reductions, latency, energy, crossovers, speedups, "
        "rooflines, traffic, diagnostics, diagnostic_curves, sensitivities, accuracy, paired, main, "
        "claims, sweep, suites"
    )


@pytest.mark.parametrize(
    ("part", "lines"),
    [
        (
            "suites",
            ["figures.attack_suite: draws the table 'suites', which this run does not make"],
        ),
        (
            "diagnose",
            [
                "figures.diagnostic_curves: draws the table 'diagnostic_curves', which this run ",
                "figures.diagnostic_checks: draws the table 'diagnostics', which this run does not ",
            ],
        ),
    ],
)
def test_a_figure_of_a_part_that_is_left_out(part: str, lines: list[str], tmp_path: Path) -> None:
    config = yaml.safe_load(DEFAULT.read_text())
    del config[part]
    found = refused(tmp_path, yaml.safe_dump(config, sort_keys=False)).splitlines()
    assert len(found) == len(lines)
    assert all(line.startswith(start) for line, start in zip(found, lines, strict=True))
