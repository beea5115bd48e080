"""A config with every part that a run may have, changed in one place."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from nenni.core.errors import UserError
from nenni.run.config_file import load_claims, load_config, read_yaml
from nenni.run.plan import Plan
from nenni.run.slices import Slices

DIGITS = Path(__file__).with_name("digits.yaml")
CLAIMS = Path(__file__).parents[2] / "config" / "claims.yaml"


def parts(tmp_path: Path, old: str = "", new: str = "") -> tuple[Plan, Slices]:
    """Plan and slices of the config with a piece of its text replaced."""
    text = DIGITS.read_text()
    assert old in text
    file = tmp_path / "config.yaml"
    file.write_text(text.replace(old, new) if old else text)
    config = load_config(file)
    return Plan(config), Slices(config, load_claims(CLAIMS))


def refused(tmp_path: Path, text: str) -> str:
    """What is said of a config of this text, without the name of the file."""
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        load_config(file)
    message = str(caught.value)
    assert all(line.startswith(f"{file}: ") for line in message.splitlines())
    return message.replace(f"{file}: ", "")


def changed(old: str, new: str) -> str:
    """The config with what stands there once replaced."""
    text = DIGITS.read_text()
    assert text.count(old) == 1, f"{old!r} should stand once in {DIGITS.name}"
    return text.replace(old, new)


def check_mistake(tmp_path: Path, old: str, new: str, message: str) -> None:
    """One line per mistake, and a line for each place that the change reaches."""
    found = refused(tmp_path, changed(old, new)).splitlines()
    assert any(line.startswith(message) for line in found)
    expected = {
        "thread: 1": 2,
        "small_cnn: {name: 'torchvision:resnet18',": 2,
        "describe: {examples: 501}": 2,
        "eps: {pgd_at: 7, standard: 25.5}\n  compare": 3,
    }
    assert len(found) == expected.get(new, 1)


def with_values(changes: dict[str, Any]) -> str:
    """The config with values put at some places."""
    content = read_yaml(DIGITS)
    for place, value in changes.items():
        *above, last = place.split(".")
        holder: Any = content
        for key in above:
            holder = holder[int(key) if isinstance(holder, list) else key]
        holder[int(last) if isinstance(holder, list) else last] = value
    return yaml.safe_dump(content, sort_keys=False)


def refused_with(tmp_path: Path, changes: dict[str, Any]) -> list[str]:
    """What is said of the config with values put at some places, line by line."""
    return refused(tmp_path, with_values(changes)).splitlines()
