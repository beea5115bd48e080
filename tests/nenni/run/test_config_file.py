import sys
from pathlib import Path

import pytest
import yaml
from mutation_cases import mutated
from run_cases import CLAIMS, DIGITS, changed, check_mistake, refused

from nenni.core import plugins
from nenni.core.errors import UserError
from nenni.run.config_file import load_claims, load_config, read_yaml, with_types
from nenni.run.plan import Plan
from nenni.run.slices import Slices


def test_the_default_config_and_claims_are_accepted() -> None:
    config = load_config(DIGITS)
    assert config.seeds == [0, 1]
    assert config.attacks["pgd_20"]["relative_step"] == 2.5
    assert load_claims(CLAIMS).claims


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("topk_25: {injection", "topk_50: {injection", "topk_50: the name is given 2 times in the block at line"),
    ],
)  # fmt: skip
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    check_mistake(tmp_path, old, new, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; config/config.yaml shows what belongs in it"),
        ("# only a comment\n", "is empty; config/config.yaml shows what belongs in it"),
        ("- a\n- b\n", "should hold keys and values, as config/config.yaml does"),
        ("run: [1, 2\nseeds: 3", "is not valid YAML in line 2: "),
        ("run: !!python/object:os.system x", "is not valid YAML in line 1: could not determine a constructor"),
        ("run: !!timestamp 2020-01-01", "run: should be text or a number, got a date; put text in quotes"),
        ("run: !!timestamp 2020-13-45", "is not valid YAML: month must be in 1..12"),
        ("a: {b: [1, !!set {x}]}", "a.b.1: should be text or a number, got a set"),
        ("run: !!binary aGVsbG8=", "run: should be text or a number, got a bytes"),
        ("run: !!timestamp x", "is not valid YAML: "),
        ("threads: !!int abc", "is not valid YAML: invalid literal for int()"),
        ("threads: " + "9" * 5000, "is not valid YAML: Exceeds the limit (4300 digits)"),
        ("run: " + "[" * 2000 + "]" * 2000, "blocks lie in each other too deeply"),
        ("run: [a:b]", "run: "),
        ("run: ..:..", "run: String should match pattern"),
        ("1: 2", "1: a key should be text; write '1' in quotes"),
        ("? {a: 1}\n: 2", "is not valid YAML in line 1: found unhashable key"),
        ("a: &a [*a]", "blocks lie in each other too deeply, or one in itself"),
        ("a: &a {b: *a}", "blocks lie in each other too deeply, or one in itself"),
        ("a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
            f"{k}: &{k} [{', '.join([f'*{j}'] * 9)}]\n" for j, k in zip("abcdefgh", "bcdefghi", strict=True)
        ), "holds more than 100,000 values"),
    ],
)  # fmt: skip
def test_unreadable_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    assert refused(tmp_path, text).startswith(message)


def test_a_block_takes_over_what_another_says(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("base: &base {steps: 20, name: pgd}\nlonger: {<<: *base, steps: 50}\n")
    assert read_yaml(file)["longer"] == {"steps": 50, "name": "pgd"}
    file.write_text("base: &base {steps: 20}\nlonger: {<<: *base, steps: 50, steps: 60}\n")
    with pytest.raises(UserError, match="steps: the name is given 2 times in the block at line 2"):
        read_yaml(file)


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
    assert load_config(DIGITS, {"seeds": [0, 7]}).seeds == [0, 7]
    with pytest.raises(UserError, match="sedes: unknown key"):
        load_config(DIGITS, {"sedes": [7]})


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
        "rooflines, traffic, verdicts, diagnostics, diagnostic_curves, sensitivities, histories, "
        "accuracy, paired, main, comparison, claims, sweep, suites, persistence, controls"
    )


@pytest.mark.parametrize(
    ("part", "lines"),
    [
        (
            "suites",
            [
                "figures.attack_suite.suite: unknown name 'full'; defined are: none is defined",
                "figures.undefended_suite.suite: unknown name 'undefended'",
                "figures.persistent_attacker.suite: unknown name 'randomised'",
            ],
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
    config = yaml.safe_load(DIGITS.read_text())
    del config[part]
    found = refused(tmp_path, yaml.safe_dump(config, sort_keys=False)).splitlines()
    assert len(found) == len(lines)
    assert all(line.startswith(start) for line, start in zip(found, lines, strict=True))


@pytest.mark.parametrize(
    "seeds",
    [range(100), pytest.param(range(100, 1000), marks=pytest.mark.slow)],
    ids=["few", "many"],
)
def test_any_mistake_is_refused_in_lines_that_name_the_file(seeds: range, tmp_path: Path) -> None:
    """What is not refused has a plan, and every slice of it can be made."""
    default, accepted = read_yaml(DIGITS), 0
    file, beside = tmp_path / "c.yaml", CLAIMS
    files = (f"{file}: ", f"{beside}: ")
    for seed in seeds:
        file.write_text(yaml.safe_dump(mutated(default, seed)))
        try:
            config = load_config(file)
            claims = load_claims(beside)
        except UserError as error:
            lines = str(error).splitlines()
            assert lines
            assert all(line.startswith(files) for line in lines), (seed, lines)
        else:
            accepted += 1
            Slices(config, claims)
            assert Plan(config).experiments()
    assert 0 < accepted < len(seeds) / 2
