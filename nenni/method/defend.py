"""Put a baseline defence into a trained network, and switch its noise."""

import torch
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.core.seeding import generator, seeded
from nenni.core.types import Count
from nenni.data.batches import Data, image_batches
from nenni.method.baseline import Baseline, BaselineLayer, baseline_layers
from nenni.method.injection import noisy_layers
from nenni.networks.architecture import Architecture
from nenni.networks.asking import answer, check_ready
from nenni.networks.attention import make_attention_explicit, pack_attention
from nenni.networks.build import architecture_of, remember
from nenni.networks.copying import copied
from nenni.networks.hooks import hooked
from nenni.networks.modes import evaluating


def defend(
    model: nn.Module, baseline: Baseline, data: Data, *, batch_size: Count = 128, seed: int = 0
) -> nn.Module:
    """Copy of a network with a baseline's layers in place, calibrated and not trained.

    Parameters
    ----------
    model : Module
        Any plain classifier; it is not changed.
    baseline : Baseline
        See :mod:`nenni.defences.baselines`.
    data : tensors, loader or data set
        Training images, see :data:`nenni.data.batches.Data`; the first batch calibrates.
    batch_size : int
        Images of that batch; a loader has its own.
    seed : int
        Of what is drawn once and for all, as the filters of a fixed draw.

    Raises
    ------
    UserError
        If the network is defended already or has no weights yet, or nothing in it is what the
        baseline changes.
    """
    check_ready(model)
    images = next(image_batches(data, batch_size, model))
    defended = with_baseline(model, baseline, images[:1], seed=seed)
    _calibrate(defended, images)
    return defended


def with_baseline(
    model: nn.Module, baseline: Baseline, image: Tensor, *, seed: int = 0
) -> nn.Module:
    """The same without calibration, by one image (1, ...) that the model accepts."""
    if any(noisy_layers(model)) or any(baseline_layers(model)):
        raise UserError("the network is defended already: defend the plain one")
    defended = copied(model)
    make_attention_explicit(defended)
    baseline.put(defended, image, generator(seed, "baseline"))
    pack_attention(defended)
    if image.is_floating_point():
        shape = Architecture(input_shape=tuple(image.shape[1:]))
        remember(defended, architecture_of(defended).over(shape))
    return defended


@torch.no_grad()
def _calibrate(defended: nn.Module, images: Tensor) -> None:
    """Let each layer see its inputs behind the calibrated ones before it, at all calls so far."""
    calls: dict[BaselineLayer, list[Tensor]] = {}

    def hook(layer: BaselineLayer, inputs: tuple[Tensor, ...]) -> None:
        calls.setdefault(layer, []).append(inputs[0].clone())
        layer.calibrate(*calls[layer])

    handles = [layer.register_forward_pre_hook(hook) for _, layer in baseline_layers(defended)]
    with hooked(handles), evaluating(defended), seeded("calibrate"):
        answer(defended, images)


class WithoutNoise(nn.Module):
    """A network with a baseline, which draws nothing during each pass.

    Parameters
    ----------
    model : Module
        From :func:`nenni.defend`, its noise on.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.training = getattr(model, "training", False)

    def forward(self, x: Tensor) -> Tensor:
        """Its logits without the noise, which is on again afterwards."""
        set_noise(self.model, on=False)
        try:
            logits: Tensor = self.model(x)
        finally:
            set_noise(self.model, on=True)
        return logits


def set_noise(model: nn.Module, on: bool) -> None:
    """Switch the noise of a baseline on or off, in place: the ablation of what draws.

    Parameters
    ----------
    model : Module
        From :func:`nenni.defend`.
    on : bool
        Whether its layers draw.

    Raises
    ------
    UserError
        If no baseline in it has a noise.
    """
    layers = [layer for _, layer in baseline_layers(model) if layer.baseline.randomised]
    if not layers:
        raise UserError("no baseline with a noise is in the network, so there is none to switch")
    for layer in layers:
        layer.noise = on
