import shutil
from pathlib import Path

import pytest

from nenni.cli.main import main

ROOT = Path(__file__).parents[3]


def test_prints_the_main_table(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = ROOT / "config" / "config.yaml"
    assert main(["show", "--config", str(config)]) == 2
    assert "results/mnist5k/tables/main.csv: is missing" in capsys.readouterr().err
    tables = tmp_path / "results" / "mnist5k" / "tables"
    tables.mkdir(parents=True)
    shutil.copy(ROOT / "results" / "reference" / "mnist5k" / "main.csv", tables)
    assert main(["show", "--config", str(config)]) == 0
    out = capsys.readouterr().out
    assert "topk_50" in out
    assert "figures   results/mnist5k/figures" in out
    assert out.splitlines()[-1].startswith("page      results/mnist5k/index.html")
    head, body = (tables / "main.csv").read_text().split("\n", 1)
    (tables / "main.csv").write_text(head.replace(",fgsm", ",eps_low") + "\n" + body)
    assert main(["show", "--config", str(config)]) == 0
    assert " eps_low " in capsys.readouterr().out
    written = (tables / "main.csv").read_text()
    for damaged in (written.replace("base,", "bsae,", 1), "a,b\n1,2\n", "base,defence\nx,y\n"):
        (tables / "main.csv").write_text(damaged)
        assert main(["show", "--config", str(config)]) == 2
        err = capsys.readouterr().err
        assert "results/mnist5k/tables/main.csv: is damaged (" in err
        assert err.count("\n") == 1
