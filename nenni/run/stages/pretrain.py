"""Train a base: a model on a dataset by a recipe, or load weights that others trained.

Inputs: data. Outputs: weights after the last epoch, best (those with the highest validation
accuracy, robust if there is an attack), initial (those before the first), history (CSV, one row per
epoch), timing (JSON, under benchmarks/).
"""

from nenni.core import runtime
from nenni.core.checkpoint import Checkpoint
from nenni.core.io import write_csv, write_json
from nenni.core.seeding import seeded
from nenni.data.data_file import load_data
from nenni.method.network_file import save
from nenni.networks.architecture import Architecture
from nenni.networks.build import build
from nenni.networks.weights import load_published
from nenni.run.job import Job
from nenni.training.processes import joined, rank
from nenni.training.recipe import Recipe
from nenni.training.train import as_given, train


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    with joined(runtime.prepare(c)) as device:
        data, about = load_data(job.input("data"), ("train", "val"), device)
        shape = tuple(about["input_shape"])
        architecture = Architecture(c["model"], shape, about["n_classes"])
        with seeded(c["seed"], "initial weights"):
            model = build(architecture).to(device)
        if c["weights"] is not None:
            load_published(model, c["weights"], job.progress)
        if rank() == 0:
            save(model, job.output("initial"))
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
            save(model, job.output("weights"))
            model.load_state_dict(found.best)
            save(model, job.output("best"))
            checkpoint.discard()
    return found.summary
