import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nenni.cli.main import main
from nenni.core.io import write_manifest
from nenni.run import locks


def test_help_lists_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    out = capsys.readouterr().out
    for stage in (
        "data",
        "pretrain",
        "profile",
        "project",
        "finetune",
        "attack",
        "describe",
        "verify",
    ):
        assert f"    {stage} " in out


def test_a_users_mistake_has_no_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status = main(
        ["collect", "--config", "{}", "--input", f"a/b/0={tmp_path}/none.csv",
         "--output", f"table={tmp_path}/t.csv"]
    )  # fmt: skip
    assert status == 2
    assert (
        capsys.readouterr().err == f"nenni: {tmp_path}/none.csv: is missing; run snakemake again\n"
    )
    assert not (tmp_path / "t.csv").exists()


def test_a_stage_asks_for_what_it_needs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["main", "--config", "{}", "--output", f"csv={tmp_path}/t.csv"]) == 2
    assert capsys.readouterr().err == "nenni: main: needs one --input accuracy=FILE\n"


def test_a_config_that_is_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collect", "--config", "{", "--output", "table=t"]) == 2
    assert capsys.readouterr().err.startswith("nenni: collect: --config should be a slice")


def test_words_that_are_no_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["collect", "--config", "{}", "--input", "x", "--output", "table=t"])
    assert "should be NAME=FILE, got 'x'" in capsys.readouterr().err


def test_check(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    default = Path(__file__).parents[3] / "config" / "config.yaml"
    assert main(["check", str(default)]) == 0
    assert "run 'mnist5k' is well-formed" in capsys.readouterr().out
    (tmp_path / "empty.yaml").touch()
    assert main(["check", str(tmp_path / "empty.yaml")]) == 2


def test_check_misses_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "config" / "config.yaml").read_text()
    (tmp_path / "c.yaml").write_text(
        text.replace("{name: mnist5k}", "{name: npz, train: no.npz, test: no.npz}")
    )
    assert main(["check", str(tmp_path / "c.yaml")]) == 2
    assert "c.yaml: data.mnist5k.data: there is no file no.npz; a rel" in capsys.readouterr().err


def test_verify_finds_a_file_cut_short(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = Path("results/r/tables/main.csv")
    table.parent.mkdir(parents=True)
    table.write_text("a,b\n1,2\n")
    write_manifest(Path("results/r/manifests/tables/main.sha256"), [table])
    assert main(["verify", "results/r"]) == 0
    table.write_text("a,b\n1")
    assert main(["verify", "results/r"]) == 1
    assert f"{table}: is not what was written; delete it" in capsys.readouterr().out
    assert main(["verify", "results"]) == 2


def test_unlock_removes_dead_locks_only(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".snakemake"
    (folder / "locks").mkdir(parents=True)
    assert main(["unlock"]) == 0
    assert capsys.readouterr().out == ""
    lock = folder / "locks" / "0.output.lock"
    lock.write_text("x")
    main(["unlock"])
    assert "by whom is not known" in capsys.readouterr().out
    locks.note_owner(folder)
    main(["unlock"])
    assert f"locked by process {os.getpid()}, which is running" in capsys.readouterr().out
    assert lock.exists()
    note = json.loads((folder / locks.OWNER).read_text())
    (folder / locks.OWNER).write_text(json.dumps(note | {"host": "elsewhere"}))
    main(["unlock"])
    assert "on elsewhere" in capsys.readouterr().out
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    (folder / locks.OWNER).write_text(json.dumps(note | {"pid": done.pid}))
    main(["unlock"])
    assert "is gone" in capsys.readouterr().out
    assert not lock.exists()
