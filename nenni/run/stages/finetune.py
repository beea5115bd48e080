"""Train a defended network on, by a recipe and through its injected layers.

Inputs: data, weights. Outputs: weights, history (CSV), timing (JSON, under benchmarks/).
"""

from dataclasses import replace
from functools import partial

from nenni.core import runtime
from nenni.core.checkpoint import Checkpoint
from nenni.core.io import write_csv, write_json
from nenni.data.data_file import load_data
from nenni.method.fitting.descent import approximation_parameters
from nenni.method.network_file import load, save
from nenni.run.job import Job
from nenni.training.processes import joined, rank
from nenni.training.recipe import Recipe
from nenni.training.schedules.cosine import cosine
from nenni.training.train import train


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    with joined(runtime.prepare(c)) as device:
        data, _ = load_data(job.input("data"), ("train", "val"), device)
        model = load(job.input("weights"), architecture=c["model"]).to(device)
        tuning = c["finetune"]
        recipe = replace(
            Recipe.from_config(c["recipe"]),
            epochs=tuning["epochs"],
            lr=tuning["lr"],
            schedule=partial(cosine, warmup=tuning["warmup"]),
            eps_ramp=tuning["eps_ramp"],
        )
        alone = tuning["parameters"] == "approximation"
        checkpoint = Checkpoint(job.checkpoint_file())
        found = train(
            model,
            data,
            recipe,
            (c["seed"], "finetune"),
            parameters=approximation_parameters(model) if alone else list(model.parameters()),
            checkpoint=checkpoint,
            mask_temperature=tuning["mask_temperature"],
            progress=job.progress,
        )
        if rank() == 0:
            write_csv(job.output("history"), found.history)
            write_json(job.output("timing"), found.timing(len(data["train"])))
            save(model, job.output("weights"))
            checkpoint.discard()
    return found.summary
