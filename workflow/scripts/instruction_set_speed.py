"""How much slower the narrower instruction sets are, on work of the default run.

    python workflow/scripts/instruction_set_speed.py

Training steps, an attack and the fit of a network of config/config.yaml, injected, on its digits; a
process for each instruction set, in turns, and the least of their CPU seconds on one thread. Run it
with nothing else running; rows of another processor stay.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from _tables import keep

import nenni
from nenni.core.instruction_set import NAMES
from nenni.core.machine import processor

ROUNDS, REPEATS = 3, 3
BASE, DEFENCE = "pgd_at", "nm_4_8"
IMAGES, STEPS = 128, 8
EPS = 76.5 / 255
COLUMNS = ["device", "instruction_set", "part", "seconds", "over_auto"]


def main() -> None:
    """Measure in processes of their own, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results/reference/instruction_set.csv"))
    parser.add_argument("--here", choices=NAMES, help="measure in this process, and print it")
    asked = parser.parse_args()
    if asked.here:
        print(json.dumps(measured(asked.here)))
        return
    keep(asked.out, compared(), ["device"])


def compared() -> pd.DataFrame:
    """A row per instruction set that this processor has and part."""
    least: dict[str, dict[str, float]] = {}
    for _ in range(ROUNDS):
        for name in NAMES:
            command = [sys.executable, __file__, "--here", name]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                if name == "auto":
                    sys.exit(f"{name}: {done.stderr.strip() or done.returncode}")
                print(f"{name}: {done.stderr.strip() or done.returncode}", file=sys.stderr)
                continue
            found, known = json.loads(done.stdout), least.setdefault(name, {})
            known |= {part: min(time, known.get(part, time)) for part, time in found.items()}
    rows = [
        (processor(), name, part, seconds, seconds / least["auto"][part])
        for name, parts in least.items()
        for part, seconds in parts.items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def measured(name: str) -> dict[str, float]:
    """Seconds of each part, the least of several, with this instruction set."""
    nenni.use_instruction_set(name)
    import torch
    from torch.nn import functional as F

    from nenni.adversary.attacks.pgd import pgd
    from nenni.data.datasets.mnist5k import mnist5k
    from nenni.method.spec import InjectionSpec
    from nenni.networks.architecture import Architecture
    from nenni.networks.build import build
    from nenni.run.config_file import load_claims, load_config
    from nenni.run.slices import Slices

    torch.set_num_threads(1)
    config = Path("config/config.yaml")
    slices = Slices(load_config(config), load_claims(config.with_name("claims.yaml")))
    base = slices.of("pretrain", base=BASE, seed="0")
    asked = slices.of("project", base=BASE, defence=DEFENCE, seed="0")
    train = mnist5k().train
    images = torch.from_numpy(train.pixels[: asked["fit"]["examples"]]).float() / 255
    labels = torch.from_numpy(train.labels[: len(images)])
    torch.manual_seed(0)
    network = build(Architecture(base["model"], (1, 28, 28), 10))
    noisy = nenni.inject(network, InjectionSpec.from_config(asked["injection"]), images[:1])
    x, y = images[:IMAGES], labels[:IMAGES]

    def fit() -> None:
        nenni.fit(noisy, images)

    def training() -> None:
        for _ in range(STEPS):
            noisy.zero_grad()
            F.cross_entropy(noisy(x), y).backward()

    def attack() -> None:
        pgd(noisy.eval(), x, y, EPS, generator=torch.Generator().manual_seed(0), steps=STEPS)

    parts = {"fit": fit, "training": training, "attack": attack}
    return {part: min(_seconds(run) for _ in range(REPEATS)) for part, run in parts.items()}


def _seconds(run: Callable[[], None]) -> float:
    started = time.thread_time()
    run()
    return time.thread_time() - started


if __name__ == "__main__":
    main()
