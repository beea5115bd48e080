"""What a card says of the network, the images and the machine."""

import hashlib
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from nenni.cards.schema_run import Images, Machine, Network
from nenni.core import instruction_set, machine, plugins, processor
from nenni.core.keyed import content
from nenni.evaluation.preconditions import check_classifier
from nenni.evaluation.resume import weights_of
from nenni.method.injection import noisy_layers
from nenni.networks.build import architecture_of
from nenni.networks.copying import copied_or_none

_KEYS = 2**64


def about_network(model: nn.Module, image: Tensor, *, randomised: bool) -> Network:
    """What a network is.

    Parameters
    ----------
    model : Module
        In eval mode.
    image : Tensor
        One image that it takes, (1, C, H, W).
    randomised : bool
        Whether its passes differ.
    """
    known = architecture_of(model)
    return Network(
        sha256=weights_of(model),
        model=None if known.model is None else dict(known.model),
        input_shape=list(image.shape[1:]),
        classes=check_classifier(copied_or_none(model) or model, image),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        injected=any(noisy_layers(model)),
        randomised=randomised,
        defence=_defence(model),
    )


def about_images(batches: Iterable[tuple[Tensor, Tensor]], name: str) -> Images:
    """Which images there are, by what they show: batches of them and their labels."""
    pixels, classes = hashlib.sha256(), hashlib.sha256()
    shown: list[str] = []
    labels: list[str] = []
    for x, y in batches:
        images, numbers = x.cpu().float().contiguous(), y.cpu().to(torch.int64)
        pixels.update(images.numpy().tobytes())
        classes.update(numbers.numpy().tobytes())
        shown += [f"{key % _KEYS:016x}" for key in content(images).tolist()]
        labels += [str(label) for label in numbers.tolist()]
    both = hashlib.sha256(pixels.digest() + classes.digest()).hexdigest()
    return Images(
        name=name, sha256=both, n=len(shown), images=" ".join(shown), labels=" ".join(labels)
    )


def about_machine(device: torch.device) -> Machine:
    """What this process computes with."""
    on_gpu = device.type == "cuda"
    return Machine(
        versions=machine.versions(),
        processor=", ".join(filter(None, (processor.name(), processor.model()))),
        instruction_set=instruction_set.in_force(),
        device=device.type,
        gpu=machine.gpu() if on_gpu else None,
        threads=torch.get_num_threads(),
    )


def _defence(model: nn.Module) -> dict[str, Any] | None:
    """The defence in a network, as a file of it holds it."""
    for name in plugins.names("defence"):
        found = plugins.load("defence", name).describe(model)
        if found is not None:
            return {"name": name, **found}
    return None
