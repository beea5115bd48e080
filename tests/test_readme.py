"""The README's library example runs as it stands."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def test_library_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    exec(compile(example, "README.md", "exec"), {})
    out = capsys.readouterr().out
    assert "relative_error" in out
    assert "fp32" in out
    assert (tmp_path / "layers.json").exists()


def test_paths_that_the_readme_names_are_there() -> None:
    for path in re.findall(r"\]\(([\w./-]+)\)", README.read_text()):
        assert (README.parent / path).exists(), path
