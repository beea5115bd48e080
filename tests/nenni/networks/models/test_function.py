"""A module of one's own that fails is told in one line, with the place of the mistake."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nenni.cli.main import main
from nenni.core.errors import UserError
from nenni.networks.models.function import call

MODULE = """\
from torch import nn
def build():
    return nn.Linear(3, 2)
def fails():
    raise ValueError("wrong\\nsize")
def within():
    return nn.Linear("3", 2)
def needs(width):
    return nn.Linear(width, 2)
def nothing():
    pass
def kind():
    return nn.Linear
number = 3
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = {*sys.modules}
    (tmp_path / "my_net.py").write_text(MODULE)
    (tmp_path / "my_syntax.py").write_text("def build(:\n    pass\n")
    (tmp_path / "my_start.py").write_text("import torch\nraise RuntimeError('no licence')\n")
    (tmp_path / "my_import.py").write_text("from torch import nothing_of_this_name\n")
    (tmp_path / "my_other.py").write_text("import nothing_of_this_name\n")
    yield tmp_path
    for name in {*sys.modules} - before:
        if name.startswith("my_"):
            del sys.modules[name]


CASES = {
    "my_net:fails": r"model my_net:fails: ValueError: wrong size \(my_net.py, line 5\)$",
    "my_net:within": r"model my_net:within: TypeError: .* \(my_net.py, line 7\)$",
    "my_net:needs": r"model my_net:needs: TypeError: needs\(\) missing 1 required .*'width'$",
    "my_net:nothing": r"model my_net:nothing: returns a NoneType, not a torch module$",
    "my_net:kind": r"model my_net:kind: returns a type, not a torch module$",
    "my_net:number": r"model my_net:number: my_net has no function number$",
    "my_net:absent": r"model my_net:absent: my_net has no function absent$",
    "my_syntax:build": r"SyntaxError: .*\(my_syntax.py, line 1\)$",
    "my_start:build": r"RuntimeError: no licence \(my_start.py, line 2\)$",
    "my_import:build": r"ImportError: cannot import name .* \(my_import.py, line 1\)$",
    "my_other:build": r"No module named 'nothing_of_this_name'; run from the folder that holds it$",
    "my_absent:build": r"No module named 'my_absent'; run from the folder that holds it$",
}


@pytest.mark.parametrize("given", CASES)
def test_a_mistake_is_told_with_its_place(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=CASES[given]) as told:
        call(given)
    assert "\n" not in str(told.value)
    assert main(["bench", "none.safetensors", "--model", given, "--only", "fp32"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_network_of_ones_own_is_made(folder: Path) -> None:
    assert call("my_net:build").out_features == 2
    assert str(folder) in sys.path
