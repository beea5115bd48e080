"""The networks of a stage that attacks."""

import torch
from torch import nn

from nenni.method.network_file import load
from nenni.run.job import Job


def read_attacked(job: Job, device: torch.device) -> tuple[nn.Module, nn.Module | None]:
    """The network under attack and, where its config names one, the source of a transfer attack."""
    model = load(job.input("weights"), architecture=job.config["model"]).to(device)
    if not (source := job.config["source"]):
        return model, None
    return model, load(job.input("source"), architecture=source["model"]).to(device)
