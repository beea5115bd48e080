"""Words of YAML by the rules of 1.2."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nenni.core.plain_yaml import value

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1e-3", 1e-3), ("1E5", 1e5), ("-2.5e+3", -2500.0), (".5", 0.5), ("3.", 3.0), ("0.0", 0.0),
        ("12", 12), ("-7", -7), ("0", 0), ("0x14", 20), ("50_000", 50_000),
        ("0200", "0200"), ("00", "00"), ("3:20", "3:20"), ("1:30.5", "1:30.5"), ("0o17", "0o17"),
        ("no", "no"), ("Yes", "Yes"), ("off", "off"), ("y", "y"), ("true", True), ("False", False),
        ("null", None), ("~", None), ("", None), ("2026-11-28", "2026-11-28"), ("1e", "1e"),
        (".", "."), ("-", [None]), ("'1'", "1"), ("=", "="),
    ],
)  # fmt: skip
def test_a_word_is_what_it_looks_like(text: str, meant: object) -> None:
    found = value(text)
    assert found == meant
    assert type(found) is type(meant)


@given(st.floats(allow_nan=False))
def test_numbers_as_python_writes_them(number: float) -> None:
    text = repr(number).replace("inf", ".inf")
    assert value(text) == number


@given(st.integers())
def test_whole_numbers(number: int) -> None:
    assert value(str(number)) == number


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.booleans(), st.none(), st.integers())))
def test_what_the_library_writes_is_read_as_it_was(content: dict[str, object]) -> None:
    assert value(yaml.safe_dump(content)) == content


def test_the_configs_mean_what_they_did() -> None:
    for file in sorted((ROOT / "config").glob("*.yaml")):
        text = file.read_text(encoding="utf-8")
        assert value(text) == yaml.safe_load(text), file
