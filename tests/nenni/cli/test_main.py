import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nenni.cli.main import COMMANDS, main
from nenni.run.locks import Found

TINY = Path(__file__).parents[2] / "cases" / "tiny.yaml"


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    out = capsys.readouterr().out
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2]
        assert re.search(rf"^    {name}\s", out, re.M)


def test_an_interrupted_command_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nenni.run.locks.remove_dead_locks", interrupted)
    assert main(["unlock"]) == 130
    assert "the same command continues" in capsys.readouterr().err


@pytest.mark.parametrize("status", ["", "0", "3", "'stop'"])
@pytest.mark.parametrize("when", ["import", "build", "forward"])
def test_a_module_that_ends_the_program_is_told(
    when: str, status: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = {
        name: f"sys.exit({status})" if name == when else "pass"
        for name in ("import", "build", "forward")
    }
    (folder / "leaving.py").write_text(
        "import sys\nfrom torch import nn\n"
        f"{stop['import']}\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.last = nn.Linear(784, 10)\n"
        "    def forward(self, x):\n"
        f"        {stop['forward']}\n"
        "        return self.last(x.flatten(1))\n"
        "def build():\n"
        f"    {stop['build']}\n"
        "    return Net()\n"
    )
    words = ["evaluate", "--model", "leaving:build", "--data", "digits.npz", "--suite", "quick"]
    assert main([*words, "--examples", "4"]) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert "leaving.py: line " in line
    assert "ended the program" in line
    sys.modules.pop("leaving", None)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--batch-size", "0"], "from 1 to 2147483647, got '0'"),
        (["--draws", "-1"], "from 1 to 2147483647, got '-1'"),
        (["--seed", "9" * 30], "from 0 to 2147483647"),
        (["--seed", "-1"], "from 0 to 2147483647"),
        (["--threads", "9" * 5000], "from 1 to 2147483647"),
        (["--eps", "nan"], "should be 0 or more"),
        (["--examples", "1e3"], "from 1 to 2147483647, got '1e3'"),
    ],
)
def test_numbers_out_of_range_are_refused(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "x.safetensors", "--data", "d.npz", *words])
    assert told in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_mistake(folder: Path) -> None:
    """As in ``nenni verify results/run | head -1``."""
    assert main(["stamp", "run/manifests/a.sha256", "digits.npz"]) == 0
    words = [sys.executable, "-m", "nenni", "verify", "run"]
    started = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert started.stdout is not None
    started.stdout.close()
    assert started.stderr is not None
    told = started.stderr.read().decode()
    started.stderr.close()
    assert started.wait() == 141
    assert told == ""


@pytest.mark.long
@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["check", "nö.yaml"], 2, b"n\\udcc3\\udcb6.yaml: cannot be read"),
        (["check", "ü.yaml"], 0, b"run 'tiny' is well-formed"),
        (["describe", "own.safetensors", "--model", "my_digits:build", "--data", "ü/ü.npz",
          "--out", "ü.json"], 0, b"6 layers, 4 injected"),
    ],
)  # fmt: skip
def test_a_terminal_without_utf_8_shows_escapes(
    words: list[str], status: int, told: bytes, folder: Path
) -> None:
    (folder / "ü").mkdir()
    (folder / "digits.npz").rename(folder / "ü" / "ü.npz")
    (folder / "ü.yaml").write_bytes("# ü\n".encode() + TINY.read_bytes())
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-m", "nenni", *words], env=os.environ | environment, capture_output=True
    )
    assert done.returncode == status, done.stderr
    assert told in done.stdout + done.stderr
    assert b"Traceback" not in done.stderr


def test_letters_that_the_terminal_lacks_are_escaped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", shown)
    monkeypatch.setattr("nenni.run.locks.remove_dead_locks", lambda _: [Found("ü", True, True)])
    assert main(["unlock"]) == 0
    assert shown.buffer.getvalue() == b"\\xfc\n"  # type: ignore[attr-defined]


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="the system has no such device")
def test_output_that_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Path(__file__).parents[3] / "config" / "config.yaml"
    with FULL.open("w") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert main(["check", str(config)]) == 2
    assert capsys.readouterr().err.startswith("nenni: what is printed cannot be written (No space")


def test_no_output_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after ``>&-`` in a shell."""
    monkeypatch.setattr("sys.stdout", None)
    assert main(["check", str(Path(__file__).parents[3] / "config" / "config.yaml")]) == 0
