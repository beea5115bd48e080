"""The scripts of the workflow, which are no package."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"


def script_named(name: str) -> Any:
    """A module of ``workflow/scripts``, with those beside it that it imports."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        return import_module(name)
    finally:
        sys.path.pop(0)
