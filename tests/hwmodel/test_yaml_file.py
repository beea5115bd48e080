"""YAML of other tools is read as data alone."""

from pathlib import Path

import pytest

from hwmodel.errors import UserError
from hwmodel.yaml_file import read_yaml


def test_data_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [1, 2.5, x]\n")
    assert read_yaml(tmp_path / "a.yaml") == {"a": [1, 2.5, "x"]}


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch hacked']",
        "a: [1, 2",
        "\t- a",
        "a: !unknown 1",
        "- " * 5000 + "1",
    ],
)
def test_objects_and_faults_are_refused_in_a_line(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError, match=r"a\.yaml: is not plain YAML: .+") as caught:
        read_yaml(tmp_path / "a.yaml")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "hacked").exists()


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read: No such file"):
        read_yaml(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(UserError, match="is not plain YAML"):
        read_yaml(tmp_path / "bytes.yaml")
