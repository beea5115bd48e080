"""Inject NENNI into a base and fit the approximate path.

Inputs: data, weights; distribution where fractions are allocated.
Outputs: weights (the injected network), fit and errors (CSV, on validation images).
"""

import torch
from torch import nn

from nenni.core import runtime
from nenni.core.io import read_csv, write_csv
from nenni.core.seeding import seeded
from nenni.data.data_file import load_data
from nenni.data.split import first
from nenni.method.allocation_search import mean_loss, spend
from nenni.method.channel_order import ordered_for
from nenni.method.network_file import load, save
from nenni.method.report import error_histogram, report
from nenni.method.spec import InjectionSpec
from nenni.run.injected import fitting_images, injected
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    device = runtime.prepare(c)
    data, _ = load_data(job.input("data"), ("train", "val"), device)
    images, labels = first(data["train"], c["fit"]["examples"])
    held_out = first(data["val"], len(data["val"]))
    base = load(job.input("weights"), architecture=c["model"]).to(device)
    fitting = fitting_images(base, images, labels, c)
    if c["order_channels"]:
        base = ordered_for(base, fitting, InjectionSpec.from_config(c["injection"]))
        job.progress("channels are in an order for the tiles")
    noisy = injected(base, c["injection"], fitting, c["fit"], c["seed"], job.progress)
    compared = ""
    if c["allocate"]:
        uniform = mean_loss(noisy, *held_out)
        fractions = _allocated(job, noisy, images, labels)
        noisy = injected(base, c["injection"], fitting, c["fit"], c["seed"], fractions=fractions)
        compared = (
            f"; validation loss {mean_loss(noisy, *held_out):.4f}, with one fraction for all "
            f"layers {uniform:.4f}"
        )
    save(noisy, job.output("weights"))
    with seeded(c["seed"], "report"):
        table = report(noisy, held_out[0])
        errors = error_histogram(noisy, held_out[0])
    write_csv(job.output("fit"), table)
    write_csv(job.output("errors"), errors)
    return (
        f"{len(table)} layers; relative error {table['relative_error'].min():.2f} to "
        f"{table['relative_error'].max():.2f}, recall {table['recall'].min():.2f} to "
        f"{table['recall'].max():.2f}{compared}"
    )


def _allocated(
    job: Job, noisy: nn.Module, images: torch.Tensor, labels: torch.Tensor
) -> dict[str, float]:
    """Fractions of the layers that spend the budget of exact multiply-accumulates."""
    macs = read_csv(job.input("distribution")).set_index("layer")["macs"].to_dict()
    budget = job.config["injection"]["selection"]["fraction"]
    table = spend(noisy, images, labels, macs, budget, progress=job.progress)
    listed = ", ".join(f"{r.layer} {r.fraction:g}" for r in table.itertuples())
    job.progress(f"fractions: {listed}")
    return dict(zip(table["layer"], table["fraction"], strict=True))
