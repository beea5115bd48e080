"""The default config, changed in one place."""

from pathlib import Path

from nenni.run.config_file import load_claims, load_config
from nenni.run.plan import Plan
from nenni.run.slices import Slices

DEFAULT = Path(__file__).parents[2] / "config" / "config.yaml"


def parts(tmp_path: Path, old: str = "", new: str = "") -> tuple[Plan, Slices]:
    """Plan and slices of the default config with a piece of its text replaced."""
    text = DEFAULT.read_text()
    assert old in text
    file = tmp_path / "config.yaml"
    file.write_text(text.replace(old, new) if old else text)
    config = load_config(file)
    return Plan(config), Slices(config, load_claims(DEFAULT.with_name("claims.yaml"), config))
