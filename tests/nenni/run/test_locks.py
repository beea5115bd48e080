"""Whose lock is whose, with several runs in one folder, some of them dead."""

import json
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nenni.run import locks

RUN = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from nenni.run import locks

    folder, name, written, elsewhere = Path(sys.argv[1]), *sys.argv[2:]
    note, told = locks.begin(folder)
    files = [folder / "locks" / f"{name}.{kind}.lock" for kind in ("input", "output")] if name else []
    for file in files:
        file.write_text("x")
    if written == "told":
        note.tell_locks(files, elsewhere=bool(elsewhere))
    print(*told, "started", sep="\\n", flush=True)
    sys.stdin.read()
""")


@dataclass
class Checkout:
    """A folder in which runs start and die, each with its two locks."""

    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def locks(self) -> set[str]:
        return {file.name.partition(".")[0] for file in (self.folder / "locks").iterdir()}

    def command(self, name: str = "", told: bool = True, elsewhere: bool = False) -> list[str]:
        return [
            sys.executable, "-c", RUN, str(self.folder), name, "told" if told else "untold",
            "x" if elsewhere else "",
        ]  # fmt: skip

    def start(self, *words: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        run = subprocess.Popen(
            words, stdin=pipe, stdout=pipe, text=True, cwd=self.folder.parent,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip
        self.started.append(run)
        return run

    def living(
        self, name: str, told: bool = True, elsewhere: bool = False
    ) -> subprocess.Popen[str]:
        run = self.start(*self.command(name, told, elsewhere))
        assert run.stdout is not None
        assert run.stdout.readline() == "started\n"
        return run

    def dead(self, name: str, told: bool = True, elsewhere: bool = False) -> int:
        return killed(self.living(name, told, elsewhere))

    def job(self, *words: str, folder: Path | None = None) -> subprocess.Popen[str]:
        """A process with the command line of a job, which sleeps."""
        job = subprocess.Popen(
            [sys.executable, "-c", "print(flush=True); import time; time.sleep(60)", *words],
            cwd=folder or self.folder.parent, text=True, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert job.stdout is not None
        job.stdout.readline()
        self.started.append(job)
        return job

    def unlock(self) -> str:
        return "\n".join(found.told for found in locks.remove_dead_locks(self.folder))


def killed(run: subprocess.Popen[str]) -> int:
    run.kill()
    run.wait()
    return run.pid


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    here = Checkout(tmp_path / "a checkout" / ".snakemake")
    (here.folder / "locks").mkdir(parents=True)
    yield here
    for process in here.started:
        process.kill()
        process.communicate()


def test_without_locks_nothing_is_said_or_made(tmp_path: Path) -> None:
    assert locks.remove_dead_locks(tmp_path / ".snakemake") == []
    assert not (tmp_path / ".snakemake").exists()


def test_a_dead_runs_own_locks_go_and_nothing_of_a_living_one(checkout: Checkout) -> None:
    living, *others = (checkout.living(name) for name in "012")
    dead, other = map(killed, others)
    told = checkout.unlock()
    assert checkout.locks == {"0"}
    assert f"locked by process {living.pid}, which is running" in told
    assert f"removed, process {dead} that held it is gone" in told
    assert f"removed, process {other} that held it is gone" in told
    killed(living)
    assert "removed" in checkout.unlock()
    assert checkout.locks == set()
    assert list((checkout.folder / locks.NOTES).glob("*.json")) == []


def test_a_run_that_starts_removes_the_same_and_says_it(checkout: Checkout) -> None:
    checkout.living("0")
    dead = checkout.dead("1")
    run = checkout.start(*checkout.command("3"))
    assert run.stdout is not None
    assert f"removed, process {dead} that held it is gone" in run.stdout.readline()
    assert run.stdout.readline() == "started\n"
    assert checkout.locks == {"0", "3"}


def test_a_later_lock_of_the_same_name_is_another_runs(checkout: Checkout) -> None:
    checkout.dead("0")
    for file in (checkout.folder / "locks").iterdir():
        file.unlink()
    checkout.living("0")
    assert "which is running" in checkout.unlock()
    assert checkout.locks == {"0"}


def test_a_lock_of_nobody_is_kept(checkout: Checkout) -> None:
    (checkout.folder / "locks" / "0.output.lock").write_text("x")
    assert "by whom is not known; if nothing runs here: snakemake --unlock" in checkout.unlock()
    checkout.dead("1")
    assert "by whom is not known" in checkout.unlock()
    assert checkout.locks == {"0"}


def test_a_lock_that_was_not_told_goes_once_nobody_lives(checkout: Checkout) -> None:
    untold, living = checkout.living("0", told=False), checkout.living("1")
    dead = killed(untold)
    told = checkout.unlock()
    assert f"by whom is not known (process {living.pid} may be running)" in told
    assert checkout.locks == {"0", "1"}
    killed(living)
    assert f"removed, process {dead} that held it is gone" in checkout.unlock()
    assert checkout.locks == set()


def test_a_dead_run_without_locks_is_forgotten(checkout: Checkout) -> None:
    """A later lock of another program is not taken for its."""
    dead, living = checkout.living("", told=False), checkout.living("0")
    killed(dead)
    assert "removed" not in checkout.unlock()
    killed(living)
    assert "removed" in checkout.unlock()
    (checkout.folder / "locks" / "1.output.lock").write_text("x")
    assert "by whom is not known; if" in checkout.unlock()
    assert checkout.locks == {"1"}


def test_a_fresh_lock_that_was_not_told_yet_is_kept(checkout: Checkout) -> None:
    checkout.dead("0")
    living = checkout.start(*checkout.command("0", told=False))
    assert living.stdout is not None
    assert "removed" in living.stdout.readline()
    living.stdout.readline()
    note, told = locks.begin(checkout.folder)
    assert note is not None
    assert told == []
    assert checkout.locks == {"0"}


def test_the_number_of_a_dead_run_may_be_given_again(checkout: Checkout) -> None:
    dead = checkout.dead("0")
    (note,) = (checkout.folder / locks.NOTES).glob("*.json")
    note.write_text(json.dumps(json.loads(note.read_text()) | {"pid": os.getpid()}))
    assert f"removed, process {os.getpid()}" in checkout.unlock()
    assert dead != os.getpid()


def test_runs_on_other_machines_and_their_locks_are_kept(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = checkout.dead("0")
    there = socket.gethostname()
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    assert f"locked by process {pid} on {there}; if it has ended" in checkout.unlock()
    assert checkout.locks == {"0"}


def test_jobs_on_a_cluster_may_outlive_their_run(checkout: Checkout) -> None:
    checkout.dead("0", elsewhere=True)
    assert (
        "its jobs on other machines may still run; if none does: snakemake --unlock"
        in checkout.unlock()
    )
    assert checkout.locks == {"0"}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["-m", "nenni", "stage", "attack", "--config", "{}"], "nenni stage attack"),
        (["-m", "hwmodel", "layers.json"], "hwmodel"),
        (["set -e; python -m hwmodel a.json && python -m nenni stamp a.sha256 b"], "hwmodel"),
        (
            ["PATH=/a:$PATH; python -m nenni stage pretrain --input x 2> log"],
            "nenni stage pretrain",
        ),
    ],
)
def test_not_while_a_job_of_the_dead_run_works(
    checkout: Checkout, words: list[str], named: str
) -> None:
    dead, job = checkout.dead("0"), checkout.job(*words)
    told = checkout.unlock()
    assert f"process {dead} that held it is gone, but its jobs still work here ({named})" in told
    assert told.endswith(f"kill {job.pid}")
    assert checkout.locks == {"0"}
    note, said = locks.begin(checkout.folder)
    assert note is not None
    assert said == [told]
    note._discard(os.getpid())
    job.terminate()
    job.wait()
    assert "removed" in checkout.unlock()
    assert checkout.locks == set()


def test_jobs_of_other_folders_and_other_commands_hold_nothing(
    checkout: Checkout, tmp_path: Path
) -> None:
    checkout.dead("0")
    checkout.job("-m", "nenni", "stage", "attack", folder=tmp_path)
    checkout.job("-m", "nenni", "evaluate", "stage")
    checkout.job("-m", "hwmodels")
    assert "removed" in checkout.unlock()


def test_jobs_of_a_living_run_hold_nothing_of_a_dead_one(checkout: Checkout) -> None:
    starts = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'print(flush=True); input()', '-m', 'nenni', 'stage', 'data'])\n"
    command = checkout.command("0")
    command[2] = starts + command[2]
    living = checkout.start(*command)
    assert living.stdout is not None
    assert sorted([living.stdout.readline(), living.stdout.readline()]) == ["\n", "started\n"]
    checkout.dead("1")
    assert "removed" in checkout.unlock()
    assert checkout.locks == {"0"}


RACE = textwrap.dedent("""
    import os, sys, time
    from pathlib import Path
    from nenni.run import locks

    folder = Path(sys.argv[1])
    print(flush=True)
    sys.stdin.readline()
    note, told = locks.begin(folder)
    try:
        with (folder / "locks" / "0.output.lock").open("x") as file:
            file.write(str(os.getpid()))
        won = True
    except FileExistsError:
        won = False
    time.sleep(0.2)
    print(won, flush=True)
    sys.stdin.read()
""")


@pytest.mark.parametrize("told", [True, False])
def test_of_runs_that_start_at_once_after_a_kill_one_gets_the_lock(
    checkout: Checkout, told: bool
) -> None:
    checkout.dead("0", told)
    runs = [checkout.start(sys.executable, "-c", RACE, str(checkout.folder)) for _ in range(6)]
    for run in runs:
        assert run.stdout is not None
        run.stdout.readline()
    for run in runs:
        assert run.stdin is not None
        run.stdin.write("\n")
        run.stdin.flush()
    won = [run.stdout.readline() == "True\n" for run in runs if run.stdout]
    assert sum(won) == 1
    holder = (checkout.folder / "locks" / "0.output.lock").read_text()
    assert holder == str(runs[won.index(True)].pid)


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", '{"host": 1', "\udcff", '{"host": "a", "pid": 1, "locks": [1], "elsewhere": false}'])  # fmt: skip
def test_damaged_notes_tell_nothing(checkout: Checkout, content: str) -> None:
    checkout.dead("0")
    (note,) = (checkout.folder / locks.NOTES).glob("*.json")
    note.write_bytes(content.encode(errors="surrogateescape"))
    assert "by whom is not known" in checkout.unlock()
    assert checkout.locks == {"0"}


def no_locks(*_: object) -> None:
    raise OSError(95, "Operation not supported")


def test_where_files_cannot_be_locked_nothing_is_done(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.dead("0")
    monkeypatch.setattr("fcntl.flock", no_locks)
    assert locks.begin(checkout.folder) == (None, [])
    assert checkout.locks == {"0"}


@pytest.mark.parametrize("spoil", [Path.touch, lambda p: p.symlink_to("/nowhere/at/all")])
def test_a_folder_that_cannot_be_written_is_no_traceback(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(tmp_path / ".snakemake")
    assert locks.begin(tmp_path / ".snakemake") == (None, [])


def test_a_note_goes_with_its_process_and_not_with_a_fork_of_it(checkout: Checkout) -> None:
    code = "import os, sys\nfrom pathlib import Path\nfrom nenni.run.locks import begin\nnote, _ = begin(Path(sys.argv[1]))\n"
    code += "if os.fork() == 0: sys.exit()\nos.wait()\nprint(len(list(Path(sys.argv[1]).rglob('*.json'))))"
    run = checkout.start(sys.executable, "-c", code, str(checkout.folder))
    assert run.communicate()[0] == "1\n"
    assert list(checkout.folder.rglob("*.json")) == []


def test_locks_that_another_snakemake_took_away_are_not_told(checkout: Checkout) -> None:
    note, _ = locks.begin(checkout.folder)
    assert note is not None
    note.tell_locks([checkout.folder / "locks" / "0.input.lock"], elsewhere=False)
    (file,) = (checkout.folder / locks.NOTES).glob("*.json")
    assert json.loads(file.read_text())["locks"] == []
    note._discard(os.getpid())
