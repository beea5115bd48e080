"""Train a base: a model on a dataset by a recipe, or load weights that others trained.

Inputs: data. Outputs: weights after the last epoch, best (those with the highest validation
accuracy, robust if there is an attack), history (CSV, one row per epoch), timing (JSON, under
benchmarks/).
"""

import torch

from nenni.core import runtime
from nenni.core.checkpoint import Checkpoint
from nenni.core.io import write_csv, write_json
from nenni.core.seeding import derive_seed
from nenni.data.data_file import load_data
from nenni.method.initial import load_initial
from nenni.method.modelfile import build, save_model
from nenni.run.job import Job
from nenni.training.processes import joined, rank
from nenni.training.recipe import Recipe
from nenni.training.train import as_given, train


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    with joined(runtime.prepare(c)) as device:
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
        if c["weights"] is not None:
            load_initial(model, c["weights"], c["model"])
        checkpoint = Checkpoint(job.checkpoint_file())
        if c["recipe"] is None:
            found = as_given(model, data["val"])
        else:
            found = train(
                model,
                data,
                Recipe.from_config(c["recipe"]),
                (c["seed"], "pretrain"),
                parameters=list(model.parameters()),
                checkpoint=checkpoint,
                progress=job.progress,
            )
        if rank() == 0:
            write_csv(job.output("history"), found.history)
            write_json(job.output("timing"), found.timing(len(data["train"])))
            save_model(job.output("weights"), model, meta)
            model.load_state_dict(found.best)
            save_model(job.output("best"), model, meta)
            checkpoint.discard()
    return found.summary
