"""A job that a fork does cannot be told from one that does its work itself."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from instruction_sets import needs_avx2

from nenni.cli import fork_server
from nenni.core.instruction_set import STEERING

PRINTS_WHERE_IT_IS = """
import os, pathlib, sys, time
import torch

def make():
    print(os.getpid(), os.environ["OF_THE_JOB"], torch.get_num_threads(), flush=True)
    torch.ones(1000, 1000).exp() @ torch.ones(1000, 1000)
    waits = pathlib.Path("waits")
    while waits.exists():
        time.sleep(0.01)
    raise SystemExit(3) if pathlib.Path("exits").exists() else ValueError("no network today")
"""


@pytest.fixture(scope="module", autouse=True)
def interruptible() -> Iterator[None]:
    """A shell lets what it starts in the background ignore SIGINT, which is inherited."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def server(interruptible: None) -> Iterator[psutil.Process]:
    others = psutil.Process().children()
    running = fork_server.Server(1, "auto")
    (process,) = (each for each in psutil.Process().children() if each not in others)
    yield process
    running.close()
    assert not process.is_running()
    assert fork_server.ADDRESS not in os.environ


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "here.py").write_text(PRINTS_WHERE_IT_IS, encoding="utf-8")
    np.savez(tmp_path / "x.npz", x=np.zeros((2, 8, 8, 1), np.uint8), y=np.arange(2))
    return tmp_path


DESCRIBE = ("describe", "--model", "here:make", "--data", "x.npz")


def start(folder: Path, *words: str, serve: bool = True) -> subprocess.Popen[str]:
    environment = os.environ | {"OF_THE_JOB": "ä b", "PYTHONPATH": str(Path.cwd())}
    if not serve:
        del environment[fork_server.ADDRESS]
    return subprocess.Popen(
        [sys.executable, "-m", "nenni", *words], cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
    )  # fmt: skip


def describe(folder: Path, *flags: str, serve: bool = True) -> subprocess.Popen[str]:
    return start(folder, *DESCRIBE, *flags, serve=serve)


def begun(job: subprocess.Popen[str]) -> psutil.Process:
    """The process that does the job's work, once it does."""
    assert job.stdout
    return psutil.Process(int(job.stdout.readline().split()[0]))


def gone(process: psutil.Process) -> bool:
    end = time.monotonic() + 10
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


@pytest.mark.long
@pytest.mark.parametrize(
    "words", [["stage", "data", "--help"], ["stage", "data"], ["check", "nowhere.yaml"], ["verify"]]
)
def test_same_words_same_end(server: psutil.Process, folder: Path, words: list[str]) -> None:
    def end(serve: bool) -> tuple[str, str, int]:
        job = start(folder, *words, serve=serve)
        return *job.communicate(), job.returncode

    assert end(serve=True) == end(serve=False)


def test_a_fork_works_in_place_of_the_job(server: psutil.Process, folder: Path) -> None:
    job = describe(folder)
    printed, errors = job.communicate()
    worker, *rest = printed.split()
    assert int(worker) != job.pid
    assert rest == ["ä", "b", "1"]
    assert "no network today" in errors
    assert job.returncode == 2


def test_code_is_read_anew_for_each_job(server: psutil.Process, folder: Path) -> None:
    describe(folder).communicate()
    changed = PRINTS_WHERE_IT_IS.replace("no network today", "nor tomorrow, it is changed")
    (folder / "here.py").write_text(changed, encoding="utf-8")
    assert "nor tomorrow" in describe(folder).communicate()[1]


def test_a_module_that_exits_is_named(server: psutil.Process, folder: Path) -> None:
    (folder / "exits").touch()
    job = describe(folder)
    assert "ended the program" in job.communicate()[1]
    assert job.returncode == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_job_and_its_fork_end_together(
    server: psutil.Process, folder: Path, number: signal.Signals
) -> None:
    (folder / "waits").touch()
    job = describe(folder)
    worker = begun(job)
    job.send_signal(number)
    assert gone(worker)
    _, errors = job.communicate()
    assert job.returncode == {signal.SIGINT: 130, signal.SIGTERM: 1, signal.SIGKILL: -9}[number]
    assert ("the same command continues" in errors) == (number == signal.SIGINT)


def test_a_fork_that_is_killed_fails_its_job(server: psutil.Process, folder: Path) -> None:
    (folder / "waits").touch()
    job = describe(folder)
    begun(job).kill()
    job.communicate()
    assert job.returncode == 1


def test_without_its_server_a_job_works_itself(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(fork_server.ADDRESS, "")
    running = fork_server.Server(1, "auto")
    address = os.environ[fork_server.ADDRESS]
    running.close()
    assert not Path(address).parent.exists()
    monkeypatch.setenv(fork_server.ADDRESS, address)
    job = start(folder, "stage", "data", "--help")
    assert "usage: nenni stage data" in job.communicate()[0]


@pytest.mark.long
def test_it_ends_with_who_started_it_and_its_jobs_go_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "waits").touch()
    code = (
        "import os, psutil, time; from nenni.cli.fork_server import ADDRESS, Server; "
        "kept = Server(2, 'auto'); print(os.environ[ADDRESS], *(c.pid for c in psutil.Process().children()), "
        "flush=True); time.sleep(60)"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert starter.stdout
    address, pid = starter.stdout.readline().split()
    server = psutil.Process(int(pid))
    monkeypatch.setenv(fork_server.ADDRESS, address)
    for sent in (b"", b"\xff" * 3, (9).to_bytes(8, "big") + b"{"):  # jobs that die as they ask
        with socket.socket(socket.AF_UNIX) as dying:
            dying.connect(address)
            dying.sendall(sent)
    job = start(folder, *DESCRIBE, "--threads", "2")
    worker = begun(job)
    starter.kill()
    assert starter.communicate()[1] == ""
    assert gone(server)
    assert not Path(address).parent.exists()
    assert worker.is_running()
    (folder / "waits").unlink()
    assert "no network today" in job.communicate()[1]


def test_without_a_place_for_its_socket_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(OSError, match="AF_UNIX"):
        fork_server.Server(1, "auto")
    assert not any(deep.iterdir())


@pytest.fixture(scope="module")
def of_avx2(interruptible: None) -> Iterator[str]:
    """Address of a server whose forks compute with AVX2."""
    before = os.environ.get(fork_server.ADDRESS)
    running = fork_server.Server(1, "avx2")
    address = os.environ[fork_server.ADDRESS]
    yield address
    running.close()
    if before is not None:
        os.environ[fork_server.ADDRESS] = before


@pytest.fixture
def asks(of_avx2: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(fork_server.ADDRESS, of_avx2)
    for variable in STEERING:
        monkeypatch.delenv(variable, raising=False)


WORKS_ITSELF = [
    (["--instruction-set", "auto"], {}),
    ([], {}),
    (["--instruction-set", "avx2"], {"MKL_CBWR": "AUTO"}),
    (["--instruction-set", "avx512"], {}),
]
"""Flags and environment of jobs whose libraries a server of AVX2 has loaded otherwise."""


@pytest.mark.long
@needs_avx2
@pytest.mark.usefixtures("asks")
def test_forks_compute_with_the_servers_instruction_set(folder: Path) -> None:
    (folder / "here.py").write_text(
        PRINTS_WHERE_IT_IS.replace("torch.get_num_threads()", CAPABILITY)
    )
    job = describe(folder, "--instruction-set", "avx2")
    worker, *rest = job.communicate()[0].split()
    assert int(worker) != job.pid
    assert rest == ["ä", "b", "AVX2", "COMPATIBLE"]


CAPABILITY = 'torch.backends.cpu.get_cpu_capability(), os.environ.get("MKL_CBWR")'


@pytest.mark.long
@needs_avx2
@pytest.mark.usefixtures("asks")
@pytest.mark.parametrize(("flags", "environment"), WORKS_ITSELF)
def test_a_job_of_another_instruction_set_works_itself(
    folder: Path, flags: list[str], environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "here.py").write_text(
        PRINTS_WHERE_IT_IS.replace("torch.get_num_threads()", CAPABILITY)
    )
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    job = describe(folder, *flags)
    printed, errors = job.communicate()
    if printed:
        assert int(printed.split()[0]) == job.pid
        assert printed.split()[-1] == ("COMPATIBLE" if "avx512" in flags else "None")
    else:
        assert "nenni: instruction_set: " in errors  # refused by itself, as without a server


@needs_avx2
@pytest.mark.usefixtures("asks")
@pytest.mark.parametrize("config", ["{}", "{", "[]"])
def test_a_stage_without_torch_is_served_whatever_the_instruction_set(config: str) -> None:
    words = ["stage", "collect", "--config", config]
    assert fork_server._instruction_set(words) is None
