"""Which presets there are; apart from `preset` so that ``--help`` can list them at no cost."""

from pathlib import Path

PRESET_FOLDER = Path(__file__).parent / "presets"


def preset_names() -> tuple[str, ...]:
    """Names of the presets that come with the package, sorted."""
    return tuple(sorted(path.stem for path in PRESET_FOLDER.glob("*.toml")))
