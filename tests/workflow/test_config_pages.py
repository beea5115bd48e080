"""The page and the schema of the config are those that the classes give, and tell mistakes."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from run_cases import DIGITS
from scripts import script_named

from nenni.run.config_file import read_yaml

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(
    file
    for file in (ROOT / "config").glob("*.yaml")
    if file.name not in ("claims.yaml", "saving.yaml")
)
"""Those of runs."""


@pytest.fixture(scope="module")
def pages() -> Any:
    return script_named("config_pages")


@pytest.fixture(scope="module")
def validator(pages: Any) -> Any:
    schema = pages.schema()
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


def test_they_are_up_to_date(pages: Any) -> None:
    for file, text in pages.pages().items():
        assert file.read_text() == text, f"{file.name} is not what the code says: make config"


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_the_configs_name_the_schema_and_keep_to_it(file: Path, validator: Any) -> None:
    assert file.read_text().startswith("# yaml-language-server: $schema=schema.json\n")
    validator.validate(yaml.safe_load(file.read_text()))


def test_the_paper_s_configs_differ_in_their_data_alone() -> None:
    ten, hundred = (read_yaml(ROOT / "config" / f"paper_cifar{n}.yaml") for n in (10, 100))
    for config, n in ((ten, 10), (hundred, 100)):
        assert config.pop("run") == f"paper_cifar{n}"
        assert config.pop("data") == {f"cifar{n}": {"data": {"name": f"cifar{n}"}, "val": 1000}}
        assert {base.pop("data") for base in config["bases"].values()} == {f"cifar{n}"}
        for model in config["models"].values():
            assert len(model.pop("mean")) == len(model.pop("std")) == 3
    assert ten == hundred


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("threads: 1", "thread: 1"),
        ("steps: 20}", "stpes: 20}"),
        ("weight_bits: 4", "weight_bits: 9"),
        ("{name: topk, fraction: 0.25}", "{name: topk, fraction: 1.25}"),
        ("{name: adversarial}, epochs: 12", "{name: adversarial}, epochs: 0"),
        ("ridge: 0.0001", "rigde: 0.0001"),
    ],
)
def test_an_editor_finds_mistakes(old: str, new: str, validator: Any) -> None:
    text = DIGITS.read_text()
    assert old in text
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(yaml.safe_load(text.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{name: topk, fraction: 0.25}", "{name: mine, period: 3}"),
        ("{name: sparse, ratio: 0.125}", "{name: mine}"),
        ("{name: square, queries: 5000}", "{name: mine, norm: l2, deep: [1, {a: 2}]}"),
        ("surrogate: {name: bpda}", "surrogate: {name: mine, width: 2}"),
        ("method: {name: adversarial}", "method: {name: mine, alpha: 1}"),
        ("{name: noise_intensity}", "{name: mine, base: pgd_at}"),
        ("data: {name: mnist5k}", "data: {name: mine, root: x}"),
        ("{name: small_cnn, channels: [16, 16, 16, 32], hidden: 128}", "{name: mine}"),
    ],
)
def test_an_editor_takes_plugins_of_ones_own(old: str, new: str, validator: Any) -> None:
    text = DIGITS.read_text()
    assert old in text
    validator.validate(yaml.safe_load(text.replace(old, new)))


def test_an_editor_knows_the_names_of_this_project_and_how_others_are_made(validator: Any) -> None:
    text = DIGITS.read_text()
    for value in ("{name: topk}", "{name: Mine}", "{period: 3}", "mine"):
        changed = text.replace("{name: topk, fraction: 0.25}", value)
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(yaml.safe_load(changed))


def test_every_key_is_explained(pages: Any) -> None:
    rows = [line for line in pages.readme().splitlines() if line.startswith("| `")]
    assert len(rows) > 100
    assert not [row for row in rows if row.endswith("|  |")]
