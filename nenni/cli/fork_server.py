"""A process that has imported what is slow to import, and forks itself for each job of a run.

Importing torch costs seconds of CPU, as much as many a job's own work. Snakemake's start therefore
starts one server per run (:class:`Server`). A job is the process that its shell command says; where
it finds a server, it hands over its words, environment, working directory and open files
(:func:`serve_me`), waits, passes on the signals that it gets, and ends with its fork's status. The
fork imports this project's modules from their files, so that an edit between two jobs counts. A job
whose libraries would be loaded with another instruction set than the server's is not served.

The two live and die together: a job that ends, however it does, ends its fork. A server that is
gone, or never was, changes nothing: the job does its work itself.

Python's own ``multiprocessing.forkserver`` serves its own descendants alone, and its forks do not
take the open files and the environment of who asks.
"""

import gc
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TextIO, cast

ADDRESS = "NENNI_FORK_SERVER"
"""Environment variable with the server's socket."""
IMPORTED = (
    "torch", "pandas", "pydantic.main", "pydantic.type_adapter", "matplotlib.pyplot",
    "scipy.stats", "safetensors.torch", "torch._dynamo",
)  # fmt: skip
"""What jobs share."""
_STARTED = b"\xff"


class Server:
    """A running server, and its address in this process's environment.

    It ends with `close`, and with the process that started it.

    Parameters
    ----------
    threads : int
        Threads of its forks: libraries fix their number when they are loaded.
    instruction_set : str
        And what they compute with, see :mod:`nenni.core.instruction_set`.

    Raises
    ------
    OSError
        If there can be no socket in the folder for temporary files.
    """

    def __init__(self, threads: int, instruction_set: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="nenni_"))  # no other user may enter
        address = str(self._folder / "socket")
        variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        with socket.socket(socket.AF_UNIX) as listening:
            try:
                listening.bind(address)
            except OSError:
                self._folder.rmdir()
                raise
            listening.listen(128)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "nenni.cli.fork_server", str(listening.fileno())],
                env=_chosen(instruction_set, os.environ) | dict.fromkeys(variables, str(threads)),
                stdin=subprocess.PIPE,
                pass_fds=[listening.fileno()],
                start_new_session=True,  # Ctrl-C is for the jobs, which pass it on
            )
        os.environ[ADDRESS] = address

    def close(self) -> None:
        """End it; forks that still work go on."""
        os.environ.pop(ADDRESS, None)
        self._process.terminate()  # it heeds this until it serves, then the end of its input
        self._process.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)


def serve_me(words: list[str]) -> int | None:
    """Let a fork of the server run ``nenni`` with these words.

    Returns
    -------
    int or None
        The fork's exit status; None where no server answers.
    """
    address = os.environ.get(ADDRESS)
    if not address:
        return None
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(address)
            _send(server, words)
            if server.recv(1) != _STARTED:
                return None
        except OSError:
            return None

        def pass_on(number: int, frame: FrameType | None) -> None:
            with suppress(OSError):  # it has just ended
                server.send(bytes([number]))

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, pass_on)
        status = server.recv(1)
    return status[0] if status else 1  # it was killed


def _chosen(instruction_set: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process with an instruction set; what it asks for itself stays."""
    from nenni.core.instruction_set import variables

    return variables(instruction_set) | dict(environment)


def _send(server: socket.socket, words: list[str]) -> None:
    asked = {
        "words": words, "path": sys.path, "folder": str(Path.cwd()),
        "environment": dict(os.environ),
    }  # fmt: skip
    message = json.dumps(asked).encode()
    socket.send_fds(server, [len(message).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(message)


def _serve(listening: socket.socket) -> None:
    """Fork for each job that asks, until standard input ends."""
    for name in IMPORTED:
        with suppress(ImportError):  # the job says what is missing
            import_module(name)
    gc.freeze()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, _reap)
    with selectors.DefaultSelector() as waiting:
        waiting.register(listening, selectors.EVENT_READ)
        waiting.register(0, selectors.EVENT_READ)
        while not any(key.fd == 0 for key, _ in waiting.select()):
            job, _ = listening.accept()
            if os.fork() == 0:
                for number in (signal.SIGTERM, signal.SIGCHLD):
                    signal.signal(number, signal.SIG_DFL)
                listening.close()
                waiting.close()
                _work(job)
            job.close()
    shutil.rmtree(Path(listening.getsockname()).parent, ignore_errors=True)


def _reap(number: int, frame: FrameType | None) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _work(job: socket.socket) -> None:
    """Become the job that asked, and tell it how it ended."""
    status = 1
    try:
        words = _become(job)
        job.send(_STARTED)
    except (OSError, ValueError):  # it has gone meanwhile, or is not served
        os._exit(status)
    try:
        threading.Thread(target=_obey, args=(job,), daemon=True).start()
        from nenni.cli.main import main

        status = main(words)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        with suppress(OSError):
            job.send(bytes([status]))
        os._exit(status)


def _become(job: socket.socket) -> list[str]:
    """Take over a job's words, environment, paths and open files.

    Raises
    ------
    ValueError
        If its libraries would be loaded otherwise than this process has.
    """
    size, files, *_ = socket.recv_fds(job, 8, 3)
    with job.makefile("rb") as stream:
        asked = json.loads(stream.read(int.from_bytes(size, "big")))
    loaded = _steering(os.environ)
    name = _instruction_set(asked["words"])
    if name is not None and _steering(_chosen(name, asked["environment"])) != loaded:
        raise ValueError(f"{name} is not what the libraries were loaded with")
    for target, file in enumerate(files):
        os.dup2(file, target)
        os.close(file)
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, name, _reopened(getattr(sys, name)))
    os.environ.clear()
    os.environ.update(loaded | asked["environment"])
    del os.environ[ADDRESS]
    os.chdir(asked["folder"])
    sys.path[:] = asked["path"]
    sys.argv = ["nenni", *asked["words"]]
    return sys.argv[1:]


def _instruction_set(words: list[str]) -> str | None:
    """What a job asks for; None of one that does not compute with torch."""
    if words[:1] != ["stage"]:
        flag = "--instruction-set"
        return words[words.index(flag) + 1] if flag in words[:-1] else "auto"
    try:
        name: str | None = json.loads(words[words.index("--config") + 1]).get("instruction_set")
    except (AttributeError, IndexError, ValueError):  # the job says what is wrong with its words
        return None
    return name


def _steering(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables by which libraries choose what they compute with."""
    from nenni.core.instruction_set import STEERING

    return {name: environment[name] for name in STEERING if name in environment}


def _reopened(stream: TextIO) -> TextIO:
    """A standard stream over another file: a pipe is written otherwise than a terminal."""
    buffering = 1 if stream is sys.stderr else -1
    file, mode = stream.fileno(), stream.mode
    raw = open(file, mode, buffering, stream.encoding, stream.errors, closefd=False)  # noqa: SIM115
    return cast(TextIO, raw)


def _obey(job: socket.socket) -> None:
    """Take the signals that the job passes on; end with it."""
    while number := job.recv(1):
        os.kill(os.getpid(), number[0])
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
