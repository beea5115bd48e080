"""Which presets and energy tables there are, apart from their readers: ``--help`` lists them."""

from pathlib import Path

PRESET_FOLDER = Path(__file__).parent / "presets"
ENERGY_FOLDER = Path(__file__).parent / "energy_tables"


def preset_names() -> tuple[str, ...]:
    """Names of the presets that come with the package, sorted."""
    return tuple(sorted(path.stem for path in PRESET_FOLDER.glob("*.toml")))


def energy_table_names() -> tuple[str, ...]:
    """Names of the energy tables that come with the package, sorted."""
    return tuple(sorted(path.stem for path in ENERGY_FOLDER.glob("*.toml")))
