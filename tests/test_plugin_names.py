"""Nothing asks for a selection, a projection or a noise by its name, but its own file."""

import ast
from collections.abc import Iterator
from pathlib import Path

from nenni.core import plugins

ROOT = Path(__file__).parents[1]
KINDS = ("selection", "projection", "noise")
OWN = {plugins.path(kind, name): name for kind in KINDS for name in plugins.names(kind)}

WORDS = {"all", "approximation", "block", "channel", "none", "threshold"}
"""Names that are words for other things too: looked for only where injections are at hand."""
AT_HAND = ("hwmodel", "nenni/cost", "nenni/method", "nenni/run")
OTHER_MEANINGS = {
    ("hwmodel/bitops.py", "approximation"): "a term",
    ("hwmodel/reduction.py", "approximation"): "a term",
    ("hwmodel/roofline_points.py", "approximation"): "a term",
    ("hwmodel/report.py", "all"): "the sum of all terms",
    ("hwmodel/report.py", "none"): "no constants",
    ("hwmodel/machine.py", "none"): "torch's for no activation",
    ("nenni/cost/dense_variants.py", "none"): "torch's for no activation",
    ("nenni/cost/flop_count.py", "approximation"): "a term",
    ("nenni/method/noisy_layer.py", "threshold"): "a tensor",
    ("nenni/method/profile.py", "channel"): "a column",
    ("nenni/run/config.py", "approximation"): "the parameters that are trained",
    ("nenni/run/contradictions.py", "approximation"): "the parameters that are trained",
    ("nenni/run/stages/finetune.py", "approximation"): "the parameters that are trained",
}


def strings(tree: ast.Module) -> Iterator[str]:
    """String constants, without docstrings."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def named(path: Path) -> set[tuple[str, str]]:
    """(file, name) of the parts that a file names."""
    file = path.relative_to(ROOT).as_posix()
    words = WORDS if file.startswith(AT_HAND) else set()
    searched = (set(OWN.values()) - WORDS | words) - {OWN.get(path)}
    return {(file, text) for text in strings(ast.parse(path.read_text())) if text in searched}


def test_nothing_asks_for_a_part_by_its_name() -> None:
    files = [*(ROOT / "hwmodel").rglob("*.py"), *(ROOT / "nenni").rglob("*.py")]
    found = {pair for file in files for pair in named(file)}
    assert found == OTHER_MEANINGS.keys()


def test_a_name_would_be_found() -> None:
    tree = ast.parse('"""topk"""\ndef f(x):\n    """topk"""\n    return x == "sparse" or "n_m"\n')
    assert {*strings(tree)} == {"sparse", "n_m"}
    assert set(OWN.values()) > WORDS
