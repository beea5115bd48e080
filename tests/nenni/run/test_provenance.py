import sys
from pathlib import Path

import pytest
from run_cases import parts

from nenni.core import own_modules, plugins
from nenni.core.errors import UserError
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
    own_modules.imports.cache_clear()
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
    key = provenance.key("fit", {"a": 1}, ["x=1"], [])
    assert key == provenance.key("fit", {"a": 1}, ["x=1"], [])
    others = [
        provenance.key("fit", {"a": 2}, ["x=1"], []),
        provenance.key("fit", {"a": 1}, ["x=2"], []),
    ]
    file.write_text("2")
    others.append(provenance.key("fit", {"a": 1}, ["x=1"], []))
    assert len({key, *others}) == 4


def test_code_of_a_stage_has_its_plugins_and_no_others(tmp_path: Path) -> None:
    slices = parts(tmp_path)[1]
    topk = {"base": "pgd_at", "defence": "topk_50", "seed": "0"}

    def code(stage: str, **wildcards: str) -> list[str]:
        return [f.as_posix() for f in provenance.stage_files(stage, slices.of(stage, **wildcards))]

    attack = code("attack", **topk, evaluation="pgd_20")

    def has(part: str) -> bool:
        return any(f.endswith(part) for f in attack)

    assert has("nenni/adversary/attacks/pgd.py")
    assert has("nenni/adversary/ball.py")
    assert has("nenni/method/selection/topk.py")
    assert has("nenni/method/ranking.py")
    assert has("nenni/networks/models/small_cnn.py")
    assert has("nenni/method/noisy_layer.py")
    for foreign in (
        "fgsm.py",
        "inverted.py",
        "tap_shared.py",
        "training/train.py",
        "method/fit.py",
        "cli/main.py",
    ):
        assert not has(f"/{foreign}")
    finetune = code("finetune", **topk)
    assert any(f.endswith("nenni/adversary/attacks/pgd.py") for f in finetune)
    assert not any("attacks" in f for f in code("project", **topk))
    plain = code("describe", **topk | {"defence": "none"})
    assert not any("/selection/" in f or "/projection/" in f for f in plain)


def test_plugins_of_ones_own_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nenni.core.plugins._folders", {tmp_path: str(tmp_path)})
    (tmp_path / "selection").mkdir()
    own = tmp_path / "selection" / "own.py"
    own.write_text('from package.beside import x\n\n__all__ = ["Own"]\n\nclass Own:\n    pass\n')
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("import above\n")
    (tmp_path / "above.py").write_text("")
    (tmp_path / "package" / "beside.py").write_text("import nenni.core.seeding\n")
    slice_ = {"injection": {"selection": {"name": "own"}}, "plugins": [str(tmp_path)]}
    files = provenance.stage_files("claims", slice_)
    assert own in files
    assert tmp_path / "package" / "beside.py" in files
    assert {tmp_path / "package" / "__init__.py", tmp_path / "above.py"} <= {*files}
    assert any(f.name == "seeding.py" for f in files)


def test_code_of_ones_own_model_is_followed_wherever_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_net.py").write_text("")
    source = {"source": {"model": {"name": "function", "function": "my_net:build"}}}
    assert (tmp_path / "my_net.py").resolve() in provenance.stage_files("claims", source)


@pytest.mark.parametrize("stage", ["finetune", "attack", "diagnose", "describe"])
def test_stages_that_load_a_defended_network_depend_on_its_defence(stage: str) -> None:
    """Files of networks name their defence, which no stage imports."""
    plugin = provenance.ROOT / "nenni" / "defences" / "nenni.py"
    injection = {"selection": {"name": "topk"}, "projection": {"name": "sparse"}}
    defence = {"name": "nenni"}
    files = provenance.stage_files(stage, {"injection": injection, "defence": defence})
    assert plugin in files
    assert provenance.ROOT / "nenni" / "method" / "network_file.py" in files
    assert plugin not in provenance.stage_files(stage, {"injection": None, "defence": None})


def test_plugins_of_a_relative_folder_are_followed_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nenni.core.plugins._folders", {})
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "noise").mkdir(parents=True)
    (tmp_path / "mine" / "noise" / "own.py").write_text("import beside_own\n")
    (tmp_path / "mine" / "beside_own.py").write_text("")
    plugins.use_plugins("mine")
    slice_ = {"noise": {"name": "own"}, "plugins": ["mine"]}

    def named() -> set[str]:
        return {provenance.relative(f) for f in provenance.stage_files("claims", slice_)}

    assert {"mine/noise/own.py", "mine/beside_own.py"} <= named()
    monkeypatch.chdir(tmp_path.parent)
    assert {f"{tmp_path.name}/mine/noise/own.py", f"{tmp_path.name}/mine/beside_own.py"} <= named()


def test_a_relative_import_is_named(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("\nfrom . import beside\n")
    with pytest.raises(UserError, match=r"own.py: line 2: should import absolutely"):
        provenance.closure([tmp_path / "own.py"])
