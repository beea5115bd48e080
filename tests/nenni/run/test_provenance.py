from pathlib import Path

import pytest

from nenni.run import provenance


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "nenni"
    package.mkdir()
    files = {
        "__init__.py": "from nenni import d",
        "a.py": "from nenni.b import x\nimport torch",
        "b.py": "def f():\n    from nenni import c\n",
        "c.py": "import nenni.a",
        "d.py": "",
    }
    for name, text in files.items():
        (package / name).write_text(text)
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    provenance._imports.cache_clear()
    return package


def test_closure_follows_imports_of_every_form_and_survives_cycles(tree: Path) -> None:
    assert provenance.closure([tree / "a.py"]) == [tree / f for f in ("a.py", "b.py", "c.py")]


def test_packages_are_no_edges(tree: Path) -> None:
    assert tree / "d.py" not in provenance.closure([tree / "c.py"])


def test_key_depends_on_config_inputs_and_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "stage.py"
    file.write_text("1")
    monkeypatch.setattr(provenance, "stage_files", lambda stage, config: [file])
    key = provenance.key("fit", {"a": 1}, ["x=1"])
    assert key == provenance.key("fit", {"a": 1}, ["x=1"])
    others = [provenance.key("fit", {"a": 2}, ["x=1"]), provenance.key("fit", {"a": 1}, ["x=2"])]
    file.write_text("2")
    others.append(provenance.key("fit", {"a": 1}, ["x=1"]))
    assert len({key, *others}) == 4


@pytest.mark.parametrize("stage", ["finetune", "attack", "diagnose", "describe"])
def test_stages_that_load_a_defended_network_depend_on_its_defence(stage: str) -> None:
    """Files of networks name their defence, which no stage imports."""
    plugin = provenance.ROOT / "nenni" / "defences" / "nenni.py"
    injection = {"selection": {"name": "topk"}, "projection": {"name": "sparse"}}
    files = provenance.stage_files(stage, {"injection": injection})
    assert plugin in files
    assert provenance.ROOT / "nenni" / "method" / "network_file.py" in files
    assert plugin not in provenance.stage_files(stage, {"injection": None})
