"""Score the final network of an experiment under one attack, one row per test image and eps.

Inputs: data, weights, and source for a transfer attack. Outputs: examples (CSV), and about (JSON):
the attack's norm, and notes on what its numbers do not say.
"""

from nenni.adversary.attack_choice import AttackChoice
from nenni.core import runtime
from nenni.core.checkpoint import Checkpoint
from nenni.core.io import write_csv, write_json
from nenni.core.radius import shown
from nenni.data.data_file import load_data
from nenni.data.split import first
from nenni.evaluation.attack_images import attack_images
from nenni.evaluation.scoring import robust
from nenni.run.attacked import read_attacked
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    device = runtime.prepare(c)
    data, _ = load_data(job.input("data"), ("test",), device)
    images, labels = first(data["test"], c["examples"])
    model, source = read_attacked(job, device)
    attack = AttackChoice.from_config(c["attack"])
    checkpoint = Checkpoint(job.checkpoint_file())
    examples, notes = attack_images(
        model,
        images,
        labels,
        attack,
        c["eps"],
        seed=c["seed"],
        name=c["evaluation"],
        source=source,
        batch_size=c["batch_size"],
        draws=c["draws"],
        tries=c["tries"],
        checkpoint=checkpoint,
        progress=job.progress,
    )
    write_csv(job.output("examples"), examples)
    write_json(job.output("about"), {"norm": attack.norm, "notes": notes})
    checkpoint.discard()
    means = robust(examples).groupby(examples["eps"], sort=False).mean()
    listed = ", ".join(f"{m:.1%} at {shown(eps, attack.norm)}" for eps, m in means.items())
    said = "".join(f"; {note}" for note in notes)
    return f"clean {examples['clean_correct'].mean():.1%}; {listed} (n = {len(images)}){said}"
