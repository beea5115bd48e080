"""Train a base: a model on a dataset by a recipe.

Inputs: data. Outputs: weights, history (CSV, one row per epoch).
"""

import torch

from nenni import runtime
from nenni.checkpoint import Checkpoint
from nenni.dataset import load_data
from nenni.io import write_csv
from nenni.job import Job
from nenni.modelfile import build, save_model
from nenni.recipes import read_recipe
from nenni.seeding import derive_seed
from nenni.training import train


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    device = runtime.prepare(c)
    data, about = load_data(job.input("data"), ("train", "val"), device)
    meta = {
        "model": c["model"],
        "input_shape": about["input_shape"],
        "n_classes": about["n_classes"],
        "injection": None,
    }
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(c["seed"], "initial weights"))
        model = build(meta, device)
    recipe, attack = read_recipe(c["recipe"])
    checkpoint = Checkpoint(job.checkpoint_file())
    history, _ = train(
        model,
        data,
        recipe,
        attack,
        (c["seed"], "pretrain"),
        parameters=list(model.parameters()),
        checkpoint=checkpoint,
        progress=job.progress,
    )
    write_csv(job.output("history"), history)
    save_model(job.output("weights"), model, meta)
    checkpoint.discard()
    last = history.iloc[-1]
    robust = f", robust {last['val_robust']:.1%}" if "val_robust" in last else ""
    return f"validation clean {last['val_clean']:.1%}{robust} after {len(history)} epochs"
