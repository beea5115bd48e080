"""Sweep the noise intensity on one base, after training: fraction x projection ratio.

Inputs: data, weights. Outputs: sweep (CSV).
"""

import pandas as pd

from nenni.adversary.attack_choice import AttackChoice
from nenni.core import runtime
from nenni.core.checkpoint import Checkpoint
from nenni.core.io import write_csv
from nenni.core.seeding import seeded
from nenni.data.data_file import load_data
from nenni.data.split import first
from nenni.evaluation.attack_images import attack_images
from nenni.evaluation.scoring import robust
from nenni.method.network_file import load
from nenni.method.report import report
from nenni.run.injected import fitting_images, injected
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    sweep = c["sweep"]
    device = runtime.prepare(c)
    data, _ = load_data(job.input("data"), ("train", "test"), device)
    training, training_labels = first(data["train"], c["fit"]["examples"])
    images, labels = first(data["test"], sweep["examples"])
    base = load(job.input("weights"), architecture=c["model"]).to(device)
    training = fitting_images(base, training, training_labels, c)
    attack = AttackChoice.from_config(c["attack"])
    rows = []
    for ratio in sweep["ratios"]:
        injection = c["injection"] | {"projection": c["injection"]["projection"] | {"ratio": ratio}}
        for fraction in sweep["fractions"]:
            noisy = injected(base, injection, training, c["fit"], c["seed"], fractions=fraction)
            with seeded(c["seed"], "report"):
                error = report(noisy, images)["relative_error"].mean()
            examples, _ = attack_images(
                noisy,
                images,
                labels,
                attack,
                [sweep["eps"]],
                seed=c["seed"],
                name="sweep",
                batch_size=sweep["batch_size"],
                checkpoint=Checkpoint(),
            )
            clean = examples["clean_correct"].mean()
            robust_share = robust(examples).mean()
            rows.append(
                {
                    "ratio": ratio,
                    "fraction": fraction,
                    "relative_error": error,
                    "clean": clean,
                    "robust": robust_share,
                    "n": len(images),
                    "attack": sweep["name"],
                    "norm": attack.norm,
                    "eps": sweep["eps"],
                }
            )
            job.progress(f"ratio {ratio:g}, fraction {fraction:g}: {clean:.1%}, {robust_share:.1%}")
    write_csv(job.output("sweep"), pd.DataFrame(rows))
    return f"{len(rows)} settings on {len(images)} images"
