"""Several processes that train one network, each on its share of every batch."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from nenni.core.errors import UserError
from nenni.core.seeding import generator


@contextmanager
def joined(device: torch.device) -> Iterator[torch.device]:
    """Within, the processes that torchrun started work together; the device is this one's own.

    On GPUs each process has one, and NCCL connects them; on a CPU gloo does. A process that
    torchrun did not start works alone.
    """
    if "RANK" not in os.environ:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def processes() -> int:
    """How many work together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def share(indices: Tensor) -> Tensor:
    """What of a batch this process works on.

    Raises
    ------
    UserError
        If there are more processes than images.
    """
    if len(indices) < processes():
        raise UserError(
            f"{processes()} processes share a batch of {len(indices)} images; use fewer "
            "processes or a larger batch_size"
        )
    return indices[rank() :: processes()]


def parallel(model: nn.Module) -> nn.Module:
    """The network, whose gradients are averaged over the processes on the way back."""
    if processes() == 1:
        return model
    device = next(model.parameters()).device
    with warnings.catch_warnings():
        # Its successor, forward_sync_buffers, is not in every supported version of torch.
        warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
        return DistributedDataParallel(
            model, [device] if device.type == "cuda" else None, broadcast_buffers=False
        )


def mean_over_processes(tensor: Tensor) -> Tensor:
    """The mean of what every process has."""
    if processes() > 1:
        dist.all_reduce(tensor)
        tensor = tensor / processes()
    return tensor


def own_draws(draws: torch.Generator) -> torch.Generator:
    """Draws of this process alone, from a generator that is in the same state in all of them."""
    if processes() == 1:
        return draws
    seed = torch.randint(2**62, (), generator=draws, device=draws.device)
    return generator(int(seed), rank(), device=draws.device)


@torch.no_grad()
def agree(model: nn.Module) -> None:
    """Give every process the mean of their batch statistics."""
    for name, buffer in model.named_buffers():
        if processes() > 1 and name.endswith(("running_mean", "running_var")):
            buffer.copy_(mean_over_processes(buffer.clone()))
