import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from instruction_sets import needs_avx2, own_model, told

from nenni.cli.main import main
from nenni.core.instruction_set import STEERING
from nenni.data.data_file import decode, save_data
from nenni.run import manifests


def test_help_lists_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["stage", "--help"])
    assert stopped.value.code == 0
    out = capsys.readouterr().out
    for stage in ("data", "pretrain", "profile", "project", "finetune", "attack", "describe"):
        assert f"    {stage} " in out


def test_a_users_mistake_has_no_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status = main(
        ["stage", "collect", "--config", "{}", "--input", f"a/b/0={tmp_path}/none.csv",
         "--output", f"table={tmp_path}/t.csv"]
    )  # fmt: skip
    assert status == 2
    assert (
        capsys.readouterr().err == f"nenni: {tmp_path}/none.csv: is missing; run snakemake again\n"
    )
    assert not (tmp_path / "t.csv").exists()


def test_a_stage_asks_for_what_it_needs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["stage", "main", "--config", "{}", "--output", f"csv={tmp_path}/t.csv"]) == 2
    assert capsys.readouterr().err == "nenni: main: needs one --input accuracy=FILE\n"


def test_a_config_that_is_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stage", "collect", "--config", "{", "--output", "table=t"]) == 2
    assert capsys.readouterr().err.startswith("nenni: collect: --config should be a slice")


def test_words_that_are_no_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["stage", "collect", "--config", "{}", "--input", "x", "--output", "table=t"])
    assert "should be NAME=FILE, got 'x'" in capsys.readouterr().err


def test_a_stage_refuses_an_input_that_was_changed_since_it_was_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    part = Path("results/r/experiments/at/none/seed0/fit.csv")
    part.parent.mkdir(parents=True)
    part.write_text("layer,error\nconv2,0.25\n")
    manifests.write(Path("results/r/manifests/project/at/none/seed0.sha256"), [part])
    made = Path("results/r/manifests/tables/fit.sha256")
    words = ["stage", "collect", "--config", "{}", "--input", f"at/none/seed0={part}",
             "--output", "table=results/r/tables/fit.csv", "--manifest", str(made)]  # fmt: skip
    assert main(words) == 0
    made.unlink()
    capsys.readouterr()
    part.write_text("layer,error\nconv2,0.26\n")
    assert main(words) == 2
    told = f"nenni: {part}: is not what was written; `snakemake --force {part}` makes it again\n"
    assert capsys.readouterr().err == told
    assert not made.exists()


def pretrain(
    folder: Path, instruction_set: str, processes: int, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """A network of one's own that is trained an epoch, and says what it is computed with."""
    np.savez(folder / "x.npz", x=np.zeros((40, 28, 28), np.uint8), y=np.arange(40) % 10)
    tensors, meta, _ = decode(
        {"name": "npz", "train": str(folder / "x.npz")}, {"train": 20, "val": 10, "test": 10}, 0
    )
    save_data(folder / "data.safetensors", tensors, meta)
    recipe = {"method": {"name": "standard"}, "epochs": 1, "batch_size": 10, "lr": 0.01,
              "attack": None, "eps": 0.0, "schedule": {"name": "cosine"}}  # fmt: skip
    config = {
        "threads": 1, "device": "cpu", "instruction_set": instruction_set, "seed": 0,
        "processes": processes, "weights": None, "recipe": recipe,
        "model": {"name": "function", "function": own_model(folder)},
    }  # fmt: skip
    outputs = [f"{name}={name}" for name in ("weights", "best", "initial", "history", "timing")]
    words = ["--config", json.dumps(config), "--input", "data=data.safetensors", "--output"]
    inherited = {name: value for name, value in os.environ.items() if name not in STEERING}
    root = str(Path(__file__).parents[3])
    return subprocess.run(
        [sys.executable, "-m", "nenni", "stage", "pretrain", *words, *outputs], cwd=folder,
        env=inherited | {"PYTHONPATH": root} | environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.long
@needs_avx2
@pytest.mark.parametrize("processes", [1, 2])
def test_every_process_computes_with_the_instruction_set(processes: int, tmp_path: Path) -> None:
    done = pretrain(tmp_path, "avx2", processes)
    assert done.returncode == 0, done.stderr
    assert told(done.stderr) == ["AVX2"] * processes


@pytest.mark.long
@needs_avx2
def test_auto_is_what_the_environment_says(tmp_path: Path) -> None:
    done = pretrain(tmp_path, "auto", 1, ATEN_CPU_CAPABILITY="default")
    assert told(done.stderr) in (["DEFAULT"], ["AVX"])  # torch 2.5 says NO AVX


@needs_avx2
def test_an_environment_at_odds_with_the_instruction_set(tmp_path: Path) -> None:
    done = pretrain(tmp_path, "avx2", 1, ATEN_CPU_CAPABILITY="default")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "nenni: instruction_set: avx2 needs ATEN_CPU_CAPABILITY=avx2, and the environment has "
        "ATEN_CPU_CAPABILITY=default; unset it, or set auto"
    ]
    assert not (tmp_path / "weights").exists()
