"""What an instruction set costs: CPU time of trainings and attacks over that of ``auto``.

    python workflow/scripts/instruction_set_speed.py

One thread, the small CNN of the default run on random images: an adversarial training by PGD-7,
and PGD-20 on the injected network, fitted before. Each instruction set is measured in processes of
its own, in turns, the fastest of several. Run it with nothing else running.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from nenni.core import processor
from nenni.core.instruction_set import AUTO, NAMES, use_instruction_set
from nenni.core.io import write_csv

OUT = Path(__file__).parents[2] / "results" / "reference" / "instruction_set_speed.csv"


def main() -> None:
    """Parse the command line; measure all, or one as a process of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only is not None:
        use_instruction_set(asked.only)
        print(json.dumps(measured()))
        return
    found = [(name, in_own_process(name)) for _ in range(asked.rounds) for name in NAMES]
    rows = [{"instruction_set": name, **seconds} for name, seconds in found]
    table = pd.DataFrame(rows).groupby("instruction_set", sort=False).min()
    table = table.join((table / table.loc[AUTO]).add_suffix("_over_auto"))
    table["processor"] = processor.name()
    write_csv(asked.out, table.reset_index())
    print(table.to_string())


def in_own_process(name: str) -> dict[str, float]:
    """The seconds of one instruction set."""
    command = [sys.executable, __file__, "--only", name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds: dict[str, float] = json.loads(done.stdout)
    return seconds


def measured() -> dict[str, float]:
    """Seconds of CPU of a training and of an attack."""
    import torch

    import nenni
    from nenni.adversary.attack_choice import AttackChoice
    from nenni.core.checkpoint import Checkpoint
    from nenni.data.split import InMemory
    from nenni.networks.models.small_cnn import small_cnn
    from nenni.training.objectives.adversarial import Adversarial
    from nenni.training.recipe import Recipe
    from nenni.training.train import train

    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = small_cnn((1, 28, 28), 10, channels=[16, 16, 16, 32])
    images, labels = torch.rand(640, 1, 28, 28), torch.randint(10, (640,))
    data = {"train": InMemory.of(images, labels), "val": InMemory.of(images[:64], labels[:64])}
    attack = AttackChoice("pgd", {"steps": 7, "norm": "linf"})
    recipe = Recipe(
        epochs=2, batch_size=64, lr=0.003, method=Adversarial(), attack=attack, eps=0.1
    )  # fmt: skip
    started = time.process_time()
    parameters = list(network.parameters())
    train(network, data, recipe, (0, "speed"), parameters=parameters, checkpoint=Checkpoint())
    trained = time.process_time()
    spec = nenni.InjectionSpec(selection=nenni.TopK(0.5), projection=nenni.Sparse(1 / 8))
    noisy = nenni.inject(network, spec, images[:1])
    nenni.fit(noisy, images)
    fitted = time.process_time()
    nenni.pgd(noisy, images, labels, 0.1, torch.Generator().manual_seed(0), steps=20)
    return {
        "training": trained - started,
        "fit": fitted - trained,
        "pgd_20": time.process_time() - fitted,
    }


if __name__ == "__main__":
    main()
