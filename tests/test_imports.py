"""Who may import whom, and what stays light."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = (
    "torch", "pandas", "matplotlib", "scipy", "snakemake", "altair", "vl_convert", "itables", "jinja2",
)  # fmt: skip


def loaded(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules, file=sys.stderr)"],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "code",
    [
        "import nenni",
        "import hwmodel",
        "import nenni.run.plan, nenni.run.slices, nenni.run.config_file, nenni.run.locks",
        "from nenni.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        "from nenni.cli.main import main\ntry: main(['evaluate', '--help'])\nexcept SystemExit: pass",
        "from nenni.cli.main import main\ntry: main(['stage', 'pretrain', '--help'])\nexcept SystemExit: pass",
    ],
)
def test_light_imports(code: str) -> None:
    assert not loaded(code).intersection(HEAVY)


@pytest.mark.parametrize(
    ("package", "foreign"), [("nenni", "hwmodel"), ("hwmodel", "nenni"), ("hwmodel", "torch")]
)
def test_packages_are_apart(package: str, foreign: str) -> None:
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            roots = {name.split(".")[0] for name in names}
            allowed = {"torch"} if file.name == "machine.py" else set()
            found = (roots & {foreign, "snakemake"}) - allowed
            assert not found, f"{file} imports {names}"


def test_every_exported_name_is_there() -> None:
    import nenni

    assert all(getattr(nenni, name) is not None for name in nenni.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        nenni.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("nenni/core/errors.py", "from nenni.run import plan", "Packages of nenni"),
        ("nenni/method/mixing.py", "from nenni.adversary import ball", "Packages of nenni"),
        ("nenni/core/radius.py", "import torch", "Reading a config"),
        ("hwmodel/product.py", "import nenni", "know nothing of each other"),
    ],
)
def test_the_contract_refuses(file: str, line: str, broken: str, tmp_path: Path) -> None:
    for part in ("nenni", "hwmodel"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, tmp_path / part, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    text = (tmp_path / file).read_text()
    (tmp_path / file).write_text(f"{text}\n{line}\n")
    lint = "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports(cache_dir=None))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, '.'); {lint}"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{broken}" in next(row for row in done.stdout.splitlines() if "BROKEN" in row)
