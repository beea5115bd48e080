"""The networks with known masks of ``workflow/scripts/_zoo.py``."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_FILE = Path(__file__).parents[2] / "workflow" / "scripts" / "_zoo.py"


def load_zoo() -> ModuleType:
    """That script as a module."""
    if "_zoo" not in sys.modules:
        spec = importlib.util.spec_from_file_location("_zoo", _FILE)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["_zoo"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["_zoo"]
