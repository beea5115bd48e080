from pathlib import Path

import pytest

from nenni.cli.main import main
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
