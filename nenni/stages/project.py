"""Inject NENNI into a base and fit the approximate path.

Inputs: data, weights; sensitivities and distribution where fractions are allocated.
Outputs: weights (the injected network), fit and errors (CSV, on validation images).
"""

import pandas as pd
import torch

from nenni import runtime
from nenni.allocation import allocate
from nenni.dataset import load_data
from nenni.fitting import fit, set_thresholds
from nenni.injection import inject, seed_noise, set_fractions
from nenni.io import read_csv, write_csv
from nenni.job import Job
from nenni.modelfile import load_model, save_model
from nenni.reporting import error_histogram, report
from nenni.seeding import generator
from nenni.spec import InjectionSpec


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    device = runtime.prepare(c)
    data, _ = load_data(job.input("data"), ("train", "val"), device)
    images = data["train"][0][: c["fit"]["examples"]]
    base, meta = load_model(job.input("weights"), device)
    spec = InjectionSpec.from_config(c["injection"], {})
    noisy = inject(base, spec, images[:1], seed=c["seed"])
    settings = {key: value for key, value in c["fit"].items() if key != "examples"}
    draws = generator(c["seed"], "fit")
    fit(noisy, images, generator=draws, progress=job.progress, **settings)
    fractions: dict[str, float] = {}
    allocation = None
    if c["injection"]["allocate"]:
        allocation = _allocate(job, noisy, images)
        fractions = dict(zip(allocation["layer"], allocation["fraction"], strict=True))
        set_fractions(noisy, fractions)
        set_thresholds(noisy, images.split(c["fit"]["batch_size"]))
    meta |= {"injection": c["injection"], "fractions": fractions, "seed": c["seed"]}
    save_model(job.output("weights"), noisy, meta)
    seed_noise(noisy, c["seed"], "report")
    table = report(noisy, data["val"][0])
    if allocation is not None:
        table = table.merge(allocation.drop(columns="fraction"), on="layer")
    write_csv(job.output("fit"), table)
    write_csv(job.output("errors"), error_histogram(noisy, data["val"][0]))
    return (
        f"{len(table)} layers; relative error {table['relative_error'].min():.2f} to "
        f"{table['relative_error'].max():.2f}, recall {table['recall'].min():.2f} to "
        f"{table['recall'].max():.2f}"
    )


def _allocate(job: Job, noisy: torch.nn.Module, images: torch.Tensor) -> pd.DataFrame:
    errors = report(noisy, images).set_index("layer")["relative_error"]
    macs = read_csv(job.input("distribution")).set_index("layer")["macs"]
    table = allocate(
        read_csv(job.input("sensitivities")),
        errors.to_dict(),
        macs.to_dict(),
        job.config["injection"]["selection"]["fraction"],
    )
    listed = ", ".join(f"{r.layer} {r.fraction:g}" for r in table.itertuples())
    job.progress(f"fractions: {listed}")
    return table
