"""Names of torchvision's classifiers and weights, read from its source: torch is not loaded."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_REGISTERED = re.compile(
    r'^@register_model\((?:name="(\w+)")?\)\n(?:@.*\n(?: .*\n|\)\n)*)*def (\w+)', re.M
)


@cache
def classifiers() -> frozenset[str]:
    """Names that ``torchvision.models.list_models`` gives; none where it is not installed."""
    found = (_REGISTERED.findall(text) for text in _sources())
    return frozenset(given or name for pairs in found for given, name in pairs)


@cache
def weights_of(model: str) -> tuple[str, ...]:
    """Names of the weights that torchvision publishes of a classifier; none where unknown."""
    for text in _sources():
        made = {given or name: name for given, name in _REGISTERED.findall(text)}
        if model not in made:
            continue
        tree = ast.parse(text)
        found = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        function = found[made[model]]
        assert isinstance(function, ast.FunctionDef)
        asked = {arg.arg: arg.annotation for arg in function.args.kwonlyargs}
        kinds = [
            n.id for n in ast.walk(asked.get("weights") or ast.Pass()) if isinstance(n, ast.Name)
        ]
        parts = [part for kind in kinds if kind in found for part in found[kind].body]
        return tuple(ast.unparse(p.targets[0]) for p in parts if isinstance(p, ast.Assign))
    return ()


def _sources() -> Iterator[str]:
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    for file in (Path(spec.origin).parent / "models").glob("*.py"):
        yield file.read_text(encoding="utf-8")
