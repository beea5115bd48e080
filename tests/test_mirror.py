"""Tests lie where what they test lies: each file of tests is named after a module, file by file.

``tests/A/test_B.py`` holds the tests of ``A/B.py``, or of the whole package or folder of plugins
``A`` if that is called B; ``test_B_more.py`` holds more of them.
"""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [
    file.relative_to(ROOT / "tests")
    for package in ("nenni", "hwmodel", "workflow")
    for file in sorted((ROOT / "tests" / package).rglob("test_*.py"))
]
WORKFLOW = ("Snakefile", "rules/*.smk", "scripts/*.py", "profiles")


def names_in(folder: Path) -> set[str]:
    """What the tests of a folder may be named after."""
    if folder == Path("workflow"):
        found = [file for pattern in WORKFLOW for file in (ROOT / folder).glob(pattern)]
    else:
        found = [ROOT / folder, *(ROOT / folder).glob("*.py")]
    return {file.stem.strip("_").lower() for file in found}


def namesake(file: Path) -> str | None:
    """What a file of tests is named after, or begins with if there is such a file."""
    words = file.stem.removeprefix("test_").split("_")
    beginnings = ["_".join(words[: i + 1]) for i in range(len(words))]
    for name in reversed(beginnings):
        first = (ROOT / "tests" / file).with_name(f"test_{name}.py")
        if name in names_in(file.parent) and first.exists():
            return name
    return None


def test_every_file_of_tests_is_named_after_what_it_tests() -> None:
    assert FILES
    assert [f"tests/{file}" for file in FILES if not namesake(file)] == []


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("nenni/method/test_fit.py", "fit"),
        ("nenni/method/test_noisy_layer_gradients.py", "noisy_layer"),
        ("nenni/method/test_noisy.py", None),
        ("nenni/method/test_topk.py", None),
        ("nenni/method/selection/test_selection.py", "selection"),
        ("hwmodel/test_main.py", "main"),
        ("workflow/test_snakefile.py", "snakefile"),
        ("workflow/test_reruns.py", None),
    ],
)
def test_names_without_a_module_are_found(file: str, expected: str | None) -> None:
    assert namesake(Path(file)) == expected
