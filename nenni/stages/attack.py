"""Score the final network of an experiment under one attack, one row per test image and eps.

Inputs: data, weights, and source for a transfer attack. Outputs: examples (CSV).
"""

from functools import partial

import numpy as np

from nenni import plugins, runtime
from nenni.checkpoint import Checkpoint
from nenni.dataset import load_data
from nenni.evaluation import evaluate
from nenni.io import write_csv
from nenni.job import Job
from nenni.modelfile import load_model
from nenni.scoring import robust


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    device = runtime.prepare(c)
    data, _ = load_data(job.input("data"), ("test",), device)
    images, labels = (part[: c["examples"]] for part in data["test"])
    model, _ = load_model(job.input("weights"), device)
    source = load_model(job.input("source"), device)[0] if c["source"] else None
    attack = plugins.load("attack", c["attack"]["name"])
    checkpoint = Checkpoint(job.checkpoint_file())
    examples = evaluate(
        model,
        images,
        labels,
        partial(attack, **plugins.arguments(c["attack"])),
        [eps / 255 for eps in c["eps"]],
        (c["seed"], "attack", c["evaluation"]),
        source=source,
        batch_size=c["batch_size"],
        draws=c["draws"],
        checkpoint=checkpoint,
        progress=job.progress,
    )
    examples["eps"] = np.repeat(np.array(c["eps"], dtype=float), len(images))
    write_csv(job.output("examples"), examples)
    checkpoint.discard()
    means = robust(examples).groupby(examples["eps"]).mean()
    listed = ", ".join(f"{value:.1%} at {eps:g}/255" for eps, value in means.items())
    return f"clean {examples['clean_correct'].mean():.1%}; {listed} (n = {len(images)})"
