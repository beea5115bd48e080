"""Kill, damage and crowd a small run at random until the time is over; the bytes have to stay.

    python workflow/scripts/torture.py --minutes 30    # make torture MINUTES=30

In a temporary copy of the project a config is cut to a few jobs of every stage and run undisturbed
once. Then, again and again: one of `KINDS` happens, in turn and in an order drawn by the seed, most
of them to a run with results to make again, and the plain ``snakemake`` has to end with status 0
and the bytes of the first run. Which instruction a kill hits is not the seed's to decide.

A full disk is simulated by a limit on the size of a file (RLIMIT_FSIZE): a write beyond it fails as
it does without space, with another number of error. Two runs share a checkout, not their results.
"""

import argparse
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "cases"))

from workflow_project import Project, contents  # noqa: E402

LONGEST = 900
"""Seconds that a command may take before it counts as hanging."""
LAYERS = (
    ("tables", "figures"),
    ("experiments",),
    ("bases",),
    ("data", "manifests"),
)
"""Folders of a run's results, the last made first."""


class Wrong(Exception):
    """What should have come out, and did not."""


def cut(config: dict[str, Any], run: str) -> dict[str, Any]:
    """A config with one base, an undefended and a fine-tuned network, and an attack."""
    (base, defences), *_ = config["experiments"].items()
    tuned = next(d for d in defences if config["defences"][d].get("finetune"))
    name = config["tables"]["clean"]
    figures = {k: f for k, f in config["figures"].items() if f["name"] == "accuracy_vs_eps"}
    return {
        **{key: value for key, value in config.items() if key not in ("suites", "diagnose")},
        "run": run,
        "experiments": {base: ["none", tuned]},
        "evaluations": {name: config["evaluations"][name]},
        "figures": figures,
    }


@dataclass
class Bench:
    """The run that is tortured, and what it has to give.

    Attributes
    ----------
    project : Project
        A copy of the project, whose run has ended.
    targets : list of str
        What is made of it.
    finished : Path
        Another copy in that state.
    reference : dict
        File -> bytes of the results.
    seconds : float
        What the undisturbed run took.
    rng : random.Random
        Draws what happens.
    """

    project: Project
    targets: list[str]
    finished: Path
    reference: dict[str, bytes]
    seconds: float
    rng: random.Random

    @property
    def results(self) -> Path:
        """Folder of the run's results."""
        return self.project.folder / "results" / "soak"

    @property
    def said(self) -> str:
        """What the last command said."""
        return text(self.project.folder / "said.txt")

    def start(
        self, module: str, *words: str, to: str = "said.txt", largest_file: int | None = None
    ) -> psutil.Popen:
        """A command in a process group of its own."""

        def limited() -> None:
            if largest_file is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

        command, environment = self.project.command(module, *words)
        with (self.project.folder / to).open("wb") as said:
            return psutil.Popen(
                command, env=environment, cwd=self.project.folder, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, preexec_fn=limited,
            )  # fmt: skip

    def run(self, module: str, *words: str) -> int:
        """A command's exit status."""
        started = self.start(module, *words)
        try:
            return started.wait(LONGEST)
        except psutil.TimeoutExpired:
            kill_all(started)
            raise Wrong(f"{module} {' '.join(words)} hangs") from None

    def go_on(self) -> None:
        """The plain command, after whatever jobs of a dead run it names have been ended."""
        status = self.run("snakemake", *self.targets)
        if status and (named := re.search(r"end them with: kill ([\d ]+)", self.said)):
            end([int(pid) for pid in named[1].split()])
            status = self.run("snakemake", *self.targets)
        if status:
            raise Wrong(f"snakemake ends with status {status}:\n{self.said}")

    def check(self) -> None:
        """The plain command has to give the bytes of the undisturbed run."""
        self.go_on()
        found = results_in(self.results)
        names = sorted(found.keys() | self.reference.keys())
        if other := [n for n in names if found.get(n) != self.reference.get(n)]:
            raise Wrong(f"not as without disturbance: {', '.join(other)}")
        if self.run("nenni", "verify", f"results/{self.results.name}"):
            raise Wrong(f"nenni verify finds fault with what is right:\n{self.said}")

    def undo(self) -> float:
        """Take away results, the last made first; says how long it takes to make them again."""
        depth = self.rng.choice([1, 1, 1, 2, 2, 3, 4])
        for folder in (folder for layer in LAYERS[:depth] for folder in layer):
            shutil.rmtree(self.results / folder, ignore_errors=True)
        return self.seconds * depth / len(LAYERS)

    def started(self, **limits: int) -> psutil.Popen:
        """A run with work to do, at a random instant of it."""
        seconds = self.undo()
        run = self.start("snakemake", *self.targets, **limits)
        with suppress(psutil.TimeoutExpired):
            run.wait(self.rng.uniform(0, seconds))
        return run


def results_in(folder: Path) -> dict[str, bytes]:
    """The files of a run, but for what a killed process had not renamed yet."""
    return {n: b for n, b in contents(folder).items() if not Path(n).name.endswith(".part")}


def text(file: Path) -> str:
    """What a file says, whatever its bytes."""
    return file.read_text(encoding="utf-8", errors="replace")


def end(pids: list[int]) -> None:
    """End processes as a person does, and wait for it."""
    ended = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            ended.append(psutil.Process(pid))
            ended[-1].terminate()
    if psutil.wait_procs(ended, timeout=60)[1]:
        raise Wrong(f"{pids} do not end")


def kill_all(run: psutil.Popen) -> None:
    """SIGKILL to a process group, as a power cut."""
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    run.wait(LONGEST)


def jobs_of(run: psutil.Popen) -> list[psutil.Process]:
    """The stages that a Snakemake runs now."""
    found = []
    with suppress(psutil.Error):
        for child in run.children(recursive=True):
            with suppress(psutil.Error):
                words = child.cmdline()
                if words[1:2] == ["-m"] and words[2] in ("nenni", "hwmodel"):
                    found.append(child)
    return found


def kill_stage(bench: Bench) -> bool:
    """One stage dies."""
    run = bench.started()
    while run.poll() is None and not (jobs := jobs_of(run)):
        time.sleep(0.005)
    if run.poll() is not None:
        return False
    with suppress(psutil.NoSuchProcess):
        bench.rng.choice(jobs).kill()
    return run.wait(LONGEST) != 0


def kill_server(bench: Bench) -> bool:
    """What the stages share their imports by dies, and nothing else notices."""
    run = bench.started()
    with suppress(psutil.Error):
        for child in run.children():
            if "nenni.cli.fork_server" in child.cmdline():
                child.kill()
                if status := run.wait(LONGEST):
                    raise Wrong(f"without its server the run ends with {status}:\n{bench.said}")
                return True
    run.wait(LONGEST)
    return False


def kill_snakemake(bench: Bench) -> bool:
    """Snakemake dies and its stages live on."""
    run = bench.started()
    hit = run.poll() is None
    with suppress(psutil.NoSuchProcess):
        run.kill()
    run.wait(LONGEST)
    return hit


def kill_group(bench: Bench) -> bool:
    """Snakemake and all its stages die."""
    run = bench.started()
    hit = run.poll() is None
    kill_all(run)
    return hit


def fill_disk(bench: Bench) -> bool:
    """A file grows too large for its disk."""
    run = bench.started(largest_file=int(2 ** bench.rng.uniform(13, 20)))
    status = run.wait(LONGEST)
    for log in (bench.project.folder / "logs").rglob("*.log"):
        if "Traceback" in text(log):
            raise Wrong(f"{log}: a traceback:\n{text(log)}")
    return status != 0


def damage_checkpoint(bench: Bench) -> bool:
    """Unfinished work is damaged while nobody runs."""
    bench.undo()
    run = bench.start("snakemake", *bench.targets)
    folder = bench.project.folder / ".nenni" / "checkpoints"
    while run.poll() is None and not any(folder.glob("*.pt")):
        time.sleep(0.001)
    kill_all(run)
    kept = sorted(folder.glob("*.pt"))
    for file in kept:
        bench.rng.choice([truncate, flip, empty])(file, bench.rng)
    return bool(kept)


def damage_result(bench: Bench) -> bool:
    """A result is damaged, or two are exchanged."""
    one, other = bench.rng.sample(sorted(n for n in bench.reference if not is_manifest(n)), 2)
    hurt = bench.rng.choice([truncate, flip, empty, delete, None])
    if hurt is not None or bench.reference[one] == bench.reference[other]:
        (hurt or flip)(bench.results / one, bench.rng)
        return repair(bench, [[one]])
    (bench.results / one).write_bytes(bench.reference[other])
    (bench.results / other).write_bytes(bench.reference[one])
    return repair(bench, [[one], [other]])


def damage_manifest(bench: Bench) -> bool:
    """A file of checksums is damaged: it is named, or a file that it vouched for."""
    one = bench.rng.choice(sorted(n for n in bench.reference if is_manifest(n)))
    vouched = re.findall(rb"  results/soak/(.+)", bench.reference[one])
    bench.rng.choice([truncate, flip, empty, delete])(bench.results / one, bench.rng)
    return repair(bench, [[one, *(name.decode() for name in vouched)]])


def is_manifest(name: str) -> bool:
    """Whether a result is a file of checksums."""
    return name.startswith("manifests/")


def repair(bench: Bench, damaged: list[list[str]]) -> bool:
    """Follow ``nenni verify``, which has to name one file of each list."""
    run = f"results/{bench.results.name}"
    bench.run("nenni", "verify", run)
    for names in damaged:
        if not any(f"{run}/{name}: " in bench.said for name in names):
            raise Wrong(f"nenni verify does not name {names[0]}:\n{bench.said}")
    for _ in range(4):  # where two are damaged, a command may meet the other
        if not bench.run("nenni", "verify", run):
            return True
        for file in re.findall(r"`snakemake --force (\S+)`", bench.said):
            bench.run("snakemake", "--force", file)
    raise Wrong(f"not repaired by what nenni verify names:\n{bench.said}")


def truncate(file: Path, rng: random.Random) -> None:
    """Lose the end."""
    os.truncate(file, rng.randrange(file.stat().st_size))


def flip(file: Path, rng: random.Random) -> None:
    """Change a bit."""
    data = bytearray(file.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    file.write_bytes(data)


def empty(file: Path, rng: random.Random) -> None:
    """Lose everything but the name."""
    os.truncate(file, 0)


def delete(file: Path, rng: random.Random) -> None:
    """Lose the name too."""
    file.unlink()


def run_two(bench: Bench) -> bool:
    """Two configs in one checkout: one dies, the other ends well, and the first goes on."""
    shutil.rmtree(bench.project.folder / "results" / "beside", ignore_errors=True)
    target = next(t for t in bench.targets if "/bases/" in t).replace("/soak/", "/beside/")
    words = ["--configfile", "config/beside.yaml", "--", target]
    dies = bench.started()
    beside = bench.start("snakemake", *words, to="beside.txt")
    with suppress(psutil.TimeoutExpired):
        dies.wait(bench.rng.uniform(0, bench.seconds / 3))
    hit = dies.poll() is None and beside.poll() is None
    kill_all(dies)
    if bench.rng.random() < 0.5:
        bench.run("nenni", "unlock")
    if beside.wait(LONGEST):
        told = text(bench.project.folder / "beside.txt")
        raise Wrong(f"the run beside a killed one ends with status {beside.wait()}:\n{told}")
    for name, content in results_in(bench.results.with_name("beside")).items():
        if content.replace(b"results/beside/", b"results/soak/") != bench.reference[name]:
            raise Wrong(f"the run beside a killed one has other bytes: {name}")
    return hit


KINDS: dict[str, Callable[[Bench], bool]] = {
    "a stage is killed": kill_stage,
    "the server of imports is killed": kill_server,
    "snakemake is killed, its stages live": kill_snakemake,
    "all are killed": kill_group,
    "a result is damaged": damage_result,
    "a manifest is damaged": damage_manifest,
    "a checkpoint is damaged": damage_checkpoint,
    "two runs, one is killed": run_two,
    "a disk is full (size limit)": fill_disk,
}


def set_up(folder: Path, config: Path, rng: random.Random) -> Bench:
    """Copy the project, cut the config and run it undisturbed."""
    project = Project.copy(folder / "project")
    asked = yaml.safe_load(config.read_text(encoding="utf-8"))
    for run, name in (("soak", "config"), ("beside", "beside")):
        text = yaml.safe_dump(cut(asked, run), sort_keys=False)
        (project.folder / "config" / f"{name}.yaml").write_text(text, encoding="utf-8")
    (base,) = cut(asked, "soak")["experiments"]
    seed, (figure,) = asked["seeds"][0], cut(asked, "soak")["figures"]
    made = ("tables/main.csv", "tables/sweep.csv", f"figures/{figure}.png")
    made = (*made, f"bases/{base}/seed{seed}/importance.csv")
    bench = Bench(project, [f"results/soak/{m}" for m in made], folder / "finished", {}, 0, rng)
    begun = time.monotonic()
    bench.go_on()
    bench.seconds = time.monotonic() - begun
    bench.reference = results_in(bench.results)
    shutil.copytree(project.folder, bench.finished)
    return bench


def torture(bench: Bench, seconds: float) -> dict[str, Counter[str]]:
    """Let things happen until the time is over; counts of each kind."""
    counts = {kind: Counter[str]() for kind in KINDS}
    end_, waiting = time.monotonic() + seconds, list[str]()
    while time.monotonic() < end_:
        waiting = waiting or bench.rng.sample(list(KINDS), len(KINDS))
        kind = waiting.pop()
        counts[kind]["rounds"] += 1
        begun = time.monotonic()
        try:
            counts[kind]["hit"] += KINDS[kind](bench)
            bench.check()
            result = "as without"
        except Wrong as wrong:
            counts[kind]["wrong"] += 1
            kept = bench.finished.with_name(f"wrong_{sum(c['wrong'] for c in counts.values())}")
            bench.project.folder.rename(kept)
            shutil.copytree(bench.finished, bench.project.folder)
            result = f"WRONG, see {kept}: {wrong}"
        print(f"[{time.monotonic() - begun:5.0f} s] {kind}: {result}", flush=True)
    return counts


def main() -> int:
    """Run, and print the counts; the status is 1 if anything came out wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0, help="draws what happens (default: 0)")
    parser.add_argument("--config", type=Path, default=ROOT / "tests" / "cases" / "tiny.yaml")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="torture_"))
    bench = set_up(folder, asked.config, random.Random(asked.seed))
    print(f"undisturbed: {len(bench.reference)} files in {bench.seconds:.0f} s, in {folder}")
    counts = torture(bench, asked.minutes * 60)
    columns = ("rounds", "hit", "wrong")
    print(f"\n{'kind':40}" + "".join(f"{column:>8}" for column in columns))
    for kind, count in [*counts.items(), ("together", sum(counts.values(), Counter[str]()))]:
        print(f"{kind:40}" + "".join(f"{count[column]:8}" for column in columns))
    if any(count["wrong"] for count in counts.values()):
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
