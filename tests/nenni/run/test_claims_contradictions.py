import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from run_cases import CLAIMS

from nenni.core.errors import UserError
from nenni.run.claim_trials import trials
from nenni.run.config_file import load_claims, load_config


def refused(tmp_path: Path, name: str, **changes: Any) -> str:
    content = yaml.safe_load(CLAIMS.read_text())
    claim = content["claims"][name] | changes
    content["claims"][name] = {key: value for key, value in claim.items() if value is not None}
    file = tmp_path / "claims.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError) as caught:
        load_claims(file)
    return str(caught.value).replace(f"{file}: claims.{name}.", "")


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("bitops_82_6", {"bits": None}, "bits: is missing: the measure bitops_reduction needs it"),
        ("bitops_82_6", {"against": ["base"]}, "against: does not go with the measure bitops_reduction"),
        ("pgd_20", {"value": None}, "value: is missing: the measure robust_gain needs it"),
        ("pgd_20", {"margin": 0.1}, "margin: does not go with the measure robust_gain"),
        ("pgd_20", {"attack": None}, "attack: is missing: the measure robust_gain needs it"),
        ("pgd_20", {"eps": None}, "eps: is missing: the measure robust_gain needs it"),
        ("pgd_20", {"source": "nobody"}, "source: unknown name 'nobody'; defined are: first_draft, later_draft, paper"),
        ("pgd_20", {"attack": {"name": "pgd", "stepz": 3}}, "attack.stepz: unknown key; did you mean 'steps'?"),
        ("pgd_20", {"arms": [{"selection": {"name": "topp"}}]}, "arms.0.selection.name: unknown selection 'topp'"),
        ("pgd_20", {"against": ["nothing"]}, "against.0: "),
        ("pgd_20", {"value": 14.74}, "value"),
        ("over_adversarial_training", {"value": [0.03, 0.01]}, "value: should be the least and the largest, in this order"),
        ("clean_kept", {"margin": None}, "margin: is missing: the measure clean_kept needs it"),
        ("clean_kept", {"value": 0.1}, "value: does not go with the measure clean_kept"),
    ],
)  # fmt: skip
def test_mistakes_are_named(
    tmp_path: Path, name: str, changes: dict[str, Any], message: str
) -> None:
    assert refused(tmp_path, name, **changes).startswith(message)


def test_every_claim_of_the_texts_is_there_and_says_whence() -> None:
    claims = load_claims(CLAIMS)
    values = {
        v
        for c in claims.claims.values()
        for v in (c.value if isinstance(c.value, list) else [c.value])
    }
    assert values >= {
        0.1474, 0.1549, 0.2377, 0.286, 0.0189, 0.0319, 0.1049, 0.0661, 0.1081, 0.123, 0.0863, 0.1288,
        0.826, 0.916, 0.395,
    }  # fmt: skip
    by_source = {name: c.source for name, c in claims.claims.items()}
    assert by_source["pgd_20"] == by_source["bitops_91_6"] == by_source["clean_kept"] == "paper"
    assert by_source["pgd_20_over_last_epoch"] == by_source["bitops_39_5"] == "later_draft"
    certainty = {name: source.certainty for name, source in claims.sources.items()}
    assert certainty == {"paper": "abstract", "first_draft": "review", "later_draft": "second-hand"}


OF_NO_CLAIM = ("deployment.yaml", "deployment_cpu.yaml")
"""Tiles alone, of which the paper says nothing."""


@pytest.mark.parametrize("config", sorted(f.name for f in CLAIMS.parent.glob("*.yaml")))
def test_one_file_serves_every_config(config: str) -> None:
    if config in ("claims.yaml", "saving.yaml"):
        pytest.skip("no config of a run")
    rows = trials(load_claims(CLAIMS), load_config(CLAIMS.with_name(config)))
    assert {row.claim for row in rows} == set(load_claims(CLAIMS).claims)
    for row, other in itertools.combinations(rows, 2):
        assert row != other
    assert any(not row.missing for row in rows) == (config not in OF_NO_CLAIM)
