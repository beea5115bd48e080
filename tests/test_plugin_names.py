"""Nothing names a selection, a projection or a noise but its own file, nor judges attacks by name."""

import ast
from collections.abc import Iterator
from pathlib import Path

from nenni.core import plugins

ROOT = Path(__file__).parents[1]
FILES = [*(ROOT / "hwmodel").rglob("*.py"), *(ROOT / "nenni").rglob("*.py")]
KINDS = ("selection", "projection", "noise", "baseline")
OWN = {plugins.path(kind, name): name for kind in KINDS for name in plugins.names(kind)}

WORDS = {"all", "approximation", "block", "channel", "none", "quantised", "threshold"}
"""Names that are words for other things too: looked for only where injections are at hand."""
AT_HAND = ("hwmodel", "nenni/cost", "nenni/method", "nenni/run")
OTHER_MEANINGS = {
    ("hwmodel/bitops.py", "approximation"): "a term",
    ("hwmodel/reduction.py", "approximation"): "a term",
    ("hwmodel/roofline.py", "approximation"): "a term",
    ("hwmodel/sweeping.py", "approximation"): "a phase",
    ("hwmodel/bitops.py", "all"): "the sum of all terms",
    ("hwmodel/report.py", "none"): "no constants",
    ("hwmodel/machine.py", "none"): "torch's for no activation",
    ("nenni/cli/inject.py", "sparse"): "the command's default, a choice as a config makes it",
    ("nenni/cli/inject.py", "topk"): "the command's default, a choice as a config makes it",
    ("nenni/cost/dense_variants.py", "none"): "torch's for no activation",
    ("nenni/cost/flop_count.py", "approximation"): "a term",
    ("nenni/method/noisy_layer.py", "threshold"): "a tensor",
    ("nenni/method/profile.py", "channel"): "a column",
    ("nenni/run/config.py", "approximation"): "the parameters that are trained",
    ("nenni/run/defence_contradictions.py", "approximation"): "the parameters that are trained",
    ("nenni/run/fingerprint.py", "all"): "the hash of all parts",
    ("nenni/run/fingerprint.py", "none"): "torch's for no reduction",
    ("nenni/run/stages/finetune.py", "approximation"): "the parameters that are trained",
}
OTHER_COMPARISONS = {("nenni/method/noisy_layer.py", "bpda"): "a path of the layer"}


def strings(tree: ast.AST) -> Iterator[str]:
    """String constants without docstrings; of ``name:key=value`` the name."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value.partition(":")[0]


def compared(tree: ast.Module) -> set[str]:
    """String constants that something is compared with."""
    asked = [n for n in ast.walk(tree) if isinstance(n, ast.Compare | ast.match_case)]
    return {text for n in asked for text in strings(n if isinstance(n, ast.Compare) else n.pattern)}


def named(path: Path) -> set[tuple[str, str]]:
    """(file, name) of the parts that a file names."""
    file = path.relative_to(ROOT).as_posix()
    words = WORDS if file.startswith(AT_HAND) else set()
    searched = (set(OWN.values()) - WORDS | words) - {OWN.get(path)}
    return {(file, text) for text in strings(ast.parse(path.read_text())) if text in searched}


def test_nothing_asks_for_a_part_by_its_name() -> None:
    found = {pair for file in FILES for pair in named(file)}
    assert found == OTHER_MEANINGS.keys()


def test_attacks_are_judged_by_what_they_declare() -> None:
    names = {*plugins.names("attack"), *plugins.names("surrogate")}
    found = {
        (file.relative_to(ROOT).as_posix(), text)
        for file in FILES
        for text in compared(ast.parse(file.read_text())) & names
    }
    assert found == OTHER_COMPARISONS.keys()


def test_a_name_would_be_found() -> None:
    tree = ast.parse(
        '"""topk"""\ndef f(x):\n    """topk"""\n    return x == "sparse" or "n_m:n=2"\n'
    )
    assert {*strings(tree)} == {"sparse", "n_m"}
    assert compared(tree) == {"sparse"}
    assert compared(ast.parse('match x:\n    case "pgd":\n        pass\n')) == {"pgd"}
    assert set(OWN.values()) > WORDS
