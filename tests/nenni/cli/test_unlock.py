import subprocess
import sys
from pathlib import Path

import pytest

from nenni.cli.main import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake" / "locks").mkdir(parents=True)
    return tmp_path / ".snakemake"


def killed(folder: Path) -> None:
    code = "import os; from pathlib import Path; from nenni.run import locks; locks.begin(Path('.snakemake')); "
    code += "Path('.snakemake/locks/0.output.lock').touch(); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code], cwd=folder.parent).returncode == -9


def test_where_nothing_is_locked_it_is_silent(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["unlock"]) == 0
    assert capsys.readouterr().out == ""


def test_it_says_what_it_removed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    killed(folder)
    assert main(["unlock"]) == 0
    assert ".snakemake/locks: removed, process" in capsys.readouterr().out
    assert list((folder / "locks").iterdir()) == []


def test_a_lock_that_is_left_is_a_failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "locks" / "0.output.lock").touch()
    assert main(["unlock"]) == 1
    assert ".snakemake/locks: locked, by whom is not known" in capsys.readouterr().out
    assert (folder / "locks" / "0.output.lock").exists()


@pytest.mark.parametrize("left", ["flock", "unlink"])
def test_what_cannot_be_unlocked_is_named(
    left: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(folder)

    def refused(*_: object, **__: object) -> None:
        raise OSError(1, "Operation not permitted", ".snakemake/locks/0.output.lock")

    monkeypatch.setattr({"flock": "fcntl.flock", "unlink": "pathlib.Path.unlink"}[left], refused)
    assert main(["unlock"]) == 1
    out = capsys.readouterr().out
    assert "0.output.lock: Operation not permitted; if nothing runs here: snakemake --unlock" in out
