"""Train a defended network on, by its base's recipe and through its injected layers.

Inputs: data, weights. Outputs: weights, history (CSV), timing (JSON, under benchmarks/).
"""

from dataclasses import replace

from nenni import runtime
from nenni.checkpoint import Checkpoint
from nenni.dataset import load_data
from nenni.injection import noisy_layers
from nenni.io import write_csv, write_json
from nenni.job import Job
from nenni.modelfile import load_model, save_model
from nenni.recipes import read_recipe
from nenni.training import train


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    device = runtime.prepare(c)
    data, _ = load_data(job.input("data"), ("train", "val"), device)
    model, meta = load_model(job.input("weights"), device)
    recipe, attack = read_recipe(c["recipe"])
    tuning = c["finetune"]
    recipe = replace(
        recipe, epochs=tuning["epochs"], lr=tuning["lr"], warmup=tuning["warmup"], eps_ramp=0.0
    )
    parameters = list(model.parameters())
    if tuning["parameters"] == "approximation":
        parameters = [p for _, n in noisy_layers(model) for p in (n.W_tilde, n.b_tilde)]
    checkpoint = Checkpoint(job.checkpoint_file())
    history, seconds = train(
        model,
        data,
        recipe,
        attack,
        (c["seed"], "finetune"),
        parameters=parameters,
        checkpoint=checkpoint,
        progress=job.progress,
    )
    write_csv(job.output("history"), history)
    write_json(
        job.output("timing"),
        {"seconds_per_epoch": seconds, "examples": len(data["train"][0])},
    )
    save_model(job.output("weights"), model, meta)
    checkpoint.discard()
    last = history.iloc[-1]
    robust = f", robust {last['val_robust']:.1%}" if "val_robust" in last else ""
    return f"validation clean {last['val_clean']:.1%}{robust} after {len(history)} epochs"
