import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nenni.cli.main import main
from nenni.run import locks


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
