"""Seconds of an image in a forward pass, a step of PGD and one of training, measured or looked up.

Networks have random weights and see random images. A batch is such that a forward pass takes about
`_SECONDS`, a hundred images at most: how long an image takes in smaller ones is another number.
"""

import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil
from typing import Any

import pandas as pd
import speed
import torch
from _passes import KINDS, Defended
from torch import Tensor, nn

from nenni.adversary.gradient import frozen
from nenni.core import plugins, settings
from nenni.method.defend import defend, set_noise
from nenni.method.fitting.scales import calibrate_scales
from nenni.method.injection import inject, noisy_layers
from nenni.method.spec import InjectionSpec
from nenni.method.visit import SeenInExact
from nenni.networks.architecture import Architecture
from nenni.networks.build import build
from nenni.networks.replayed import replayed

Rates = dict[str, float]
"""Kind of pass -> seconds of an image."""
_SECONDS, _LEAST, _MOST, _ON_GPU, _CLASSES = 0.1, 2, 100, 128, 10
_FIRST_ON_GPU, _COUNTED, _IN_ALL = 5, 1, 0.5
"""Steps that do not count, and those that do: so many at least, for so many seconds at least."""
_NORMALISATION = ("mean", "std")
STEPS = dict(zip(KINDS, (speed.forward, speed.pgd_step, speed.training_step), strict=True))
Step = Callable[[nn.Module, Tensor, Tensor], None]


@dataclass(frozen=True)
class Network:
    """What a job computes with.

    Attributes
    ----------
    model : dict
        Its architecture, as a config has it.
    shape : tuple of int
        Of its images.
    defended : dict
        ``injection`` or ``baseline``, and ``noise`` where it is off.
    precision : str
        Of its passes: that of the recipe in training, fp32 in attacks.
    channels_last : bool
        Its layout.
    """

    model: dict[str, Any]
    shape: tuple[int, ...]
    defended: Defended
    precision: str = "fp32"
    channels_last: bool = False

    @property
    def key(self) -> str:
        """Networks of one key take as long: those that differ in the normalisation of images."""
        model = {k: v for k, v in self.model.items() if k not in _NORMALISATION}
        rest = (self.shape, self.defended, self.precision, self.channels_last)
        return repr((model, *rest))

    @property
    def plain(self) -> bool:
        """Whether nothing was put into it."""
        return self.defended.get("injection") is None and self.defended.get("baseline") is None


def measured(network: Network, device: torch.device, kinds: Collection[str] = KINDS) -> Rates:
    """Rates of some kinds of passes on a device, of one CPU thread there."""
    made = _made(network, device)
    if network.channels_last:
        made.to(memory_format=torch.channels_last)
    images, labels = _batch(network, made, device)
    rates = {}
    for kind in kinds:
        half = torch.autocast(device.type, torch.bfloat16, enabled=network.precision == "bf16")
        with ExitStack() as within:
            within.enter_context(half)
            within.enter_context(replayed(made, device))
            if kind == "gradient":
                within.enter_context(frozen(made.eval()))
            rates[kind] = fastest(STEPS[kind], made, images, labels) / len(images)
    return rates


def fastest(step: Step, model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Seconds of the fastest of some steps, behind those in which what is compiled is."""
    first = _FIRST_ON_GPU if images.is_cuda else 1
    clock = time.perf_counter if images.is_cuda else time.thread_time
    found: list[float] = []
    while len(found) < first + _COUNTED or sum(found[first:]) < _IN_ALL:
        started = clock()
        step(model, images, labels)
        if images.is_cuda:
            torch.cuda.synchronize()
        found.append(clock() - started)
    return min(found[first:])


def _made(network: Network, device: torch.device) -> nn.Module:
    torch.manual_seed(0)
    model = build(Architecture(network.model, network.shape, _CLASSES))
    images = torch.rand(_LEAST, *network.shape)
    asked = network.defended
    if asked.get("injection") is not None:
        model = inject(model, InjectionSpec.from_config(asked["injection"]), images)
        calibrate_scales(SeenInExact(model, images, len(images)))
        for _, layer in noisy_layers(model):
            nn.init.normal_(layer.W_tilde, std=0.05)
            nn.init.normal_(layer.b_tilde)
    elif asked.get("baseline") is not None:
        model = defend(model, plugins.build("baseline", asked["baseline"]), images)
        if not asked.get("noise", True):
            set_noise(model, on=False)
    return model.to(device)


def _batch(network: Network, model: nn.Module, device: torch.device) -> tuple[Tensor, Tensor]:
    """As many images as a forward pass takes in about so many seconds."""
    count = _ON_GPU
    if device.type == "cpu":
        few = torch.rand(_LEAST, *network.shape)
        seconds = fastest(speed.forward, model, few, torch.zeros(_LEAST, dtype=torch.long))
        count = min(_MOST, max(_LEAST, ceil(_LEAST * _SECONDS / seconds)))
    images = torch.rand(count, *network.shape, device=device)
    return images, torch.randint(_CLASSES, (count,), device=device)


def looked_up(network: Network, table: pd.DataFrame) -> dict[str, Rates]:
    """GPU -> rates of a plain network by ``speed.csv``, where a row there is of it.

    They are in fp32, also where a network is trained in bf16, which takes less.
    """
    name = network.model["name"]
    shapes = {known: shape for known, (_, shape, _) in speed.NETWORKS.items()}
    if not network.plain or shapes.get(name) != network.shape or not _as_by_default(network.model):
        return {}
    here = table[(table["network"] == name) & (table["precision"] == "fp32")]
    here = here[~here["device"].str.endswith("thread")]
    columns = [f"plain_{step.__name__}_ms" for step in STEPS.values()]
    found = {}
    for device, rows in here.groupby("device"):
        spent = rows[columns].div(rows["batch"], axis=0).min() / 1000
        found[str(device)] = dict(zip(STEPS, map(float, spent), strict=True))
    return found


def _as_by_default(model: dict[str, Any]) -> bool:
    fields = settings.schema("model", model["name"]).model_fields
    sizes = model.keys() - {"name", *_NORMALISATION}
    return all(model[key] == fields[key].get_default() for key in sizes)
