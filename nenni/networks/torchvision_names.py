"""Names of torchvision's classifiers, read from its source: torch is not loaded."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_REGISTERED = re.compile(
    r'^@register_model\((?:name="(\w+)")?\)\n(?:@.*\n(?: .*\n|\)\n)*)*def (\w+)', re.M
)


@cache
def classifiers() -> frozenset[str]:
    """Names that ``torchvision.models.list_models`` gives; none where it is not installed."""
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return frozenset()
    files = (Path(spec.origin).parent / "models").glob("*.py")
    texts = (file.read_text(encoding="utf-8") for file in files)
    return frozenset(given or name for text in texts for given, name in _REGISTERED.findall(text))
