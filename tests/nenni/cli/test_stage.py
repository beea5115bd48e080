from pathlib import Path

import pytest

from nenni.cli.main import main


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
