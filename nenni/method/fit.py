"""Fit the approximate path: min over W~, b~ of 1/B ||(W~ f + b~) - z||^2, with P fixed.

Here f = Q_p(P Q_a(x)), and z is that of the exact network. The x of a layer is what it will get:
behind the layers before it, which are fitted and injected already; or that of the exact network.
"""

from collections.abc import Callable

import torch
from torch import nn

from nenni.core.types import BatchNorms, Count, Index, Inputs, NonNegative, Positive
from nenni.data.batches import Data, check_repeatable, image_batches, one_image
from nenni.method.fitting.batch_norms import with_statistics
from nenni.method.fitting.bias import correct_bias
from nenni.method.fitting.blocks import reconstruct
from nenni.method.fitting.descent import adam, descend
from nenni.method.fitting.in_order import measure_batch_norms, work_in_order
from nenni.method.fitting.least_squares import set_moments, solve_ridge, sums_of
from nenni.method.fitting.projections import learn_projections
from nenni.method.fitting.scales import calibrate_scales
from nenni.method.fitting.thresholds import read_thresholds
from nenni.method.injection import noisy_layers, remove
from nenni.method.visit import Seen, SeenInExact, SeenInItsPlace, visit_exact
from nenni.networks.copying import uncompiled


def fit(
    model: nn.Module,
    data: Data,
    *,
    inputs: Inputs = "exact",
    batch_norms: BatchNorms = "measured",
    ridge: NonNegative = 1e-4,
    bias_correction: bool = False,
    epochs: Index = 0,
    block_epochs: Index = 0,
    lr: Positive = 1e-3,
    batch_size: Count = 128,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Fit W~, b~, the scales of the roundings and the thresholds of every injected layer, in place.

    Parameters
    ----------
    model : Module
        From :func:`nenni.inject`.
    data : tensors, loader or data set
        Training images, see :data:`nenni.data.batches.Data`; labels may be there and are not used.
        The first batch also calibrates the scales.
    inputs : "injected" or "exact"
        What a layer is fitted on: its inputs behind the injected layers before it, one layer after
        the other, for which the network has to hold all images twice at once; or those in the
        exact network, all layers at once and batch by batch. Either way towards the exact
        network's z.
    batch_norms : "kept" or "measured"
        Whether batch norms keep the statistics of the exact network, or take those of what reaches
        them in the injected one. The exact path then has them too.
    ridge : float
        Penalty on W~, in units of the mean square of the features.
    bias_correction : bool
        Whether b~ makes the mean error 0 over the neurons that the mask leaves to z~, in place of
        all of them; see :func:`nenni.method.fitting.bias.correct_bias`.
    epochs : int
        Of Adam on each layer's error, after the closed form.
    block_epochs : int
        Of Adam on the error of each block of layers, after all layers; see
        :func:`nenni.method.fitting.blocks.reconstruct`.
    lr : float
        Its rate at the start; it falls to 0 along a cosine.
    batch_size : int
        Images per batch; a loader has its own.
    seed : int
        Of the order of the images in the epochs of Adam; a loader has its own.
    progress : callable
        Receives one line per step of the work.

    Raises
    ------
    UserError
        If the data can be gone through only once, or has no batch.
    """
    check_repeatable(data)
    model = uncompiled(model)
    layers = len(dict(noisy_layers(model)))
    done: list[str] = []

    def work(seen: Seen) -> None:
        learn_projections(seen)
        calibrate_scales(seen)
        sums = sums_of(seen)
        solve_ridge(seen, sums, ridge)
        done.extend(seen.layers)
        progress(f"closed form of {min(len(set(done)), layers)}/{layers} layers")
        _refine(seen, epochs, lr, seed, progress)
        set_moments(seen, sums)
        read_thresholds(seen)
        if bias_correction:
            correct_bias(seen)
            set_moments(seen, sums)
            read_thresholds(seen)

    exact = remove(model) if block_epochs else None
    _look(model, data, batch_size, inputs, work, measured=batch_norms == "measured")
    if exact is not None:
        images = torch.cat(list(image_batches(data, batch_size, model)))
        reconstruct(
            model,
            exact,
            images,
            epochs=block_epochs,
            lr=lr,
            batch_size=batch_size,
            seed=seed,
            progress=progress,
        )
        measure_scores(model, images, inputs=inputs, batch_size=batch_size)
        behind: Inputs = "injected" if batch_norms == "measured" else inputs
        set_thresholds(model, images, inputs=behind, batch_size=batch_size)


def measure_scores(
    model: nn.Module,
    data: Data,
    *,
    inputs: Inputs = "exact",
    batch_size: Count = 128,
) -> None:
    """Set each layer's mean and variance of z~ per channel, and the deviation of z~ - z, anew.

    Parameters are those of :func:`fit`, which does it too.
    """
    _look(
        uncompiled(model), data, batch_size, inputs, lambda seen: set_moments(seen, sums_of(seen))
    )


def set_thresholds(
    model: nn.Module,
    data: Data,
    *,
    inputs: Inputs = "exact",
    batch_size: Count = 128,
) -> None:
    """Set the thresholds of calibrated selections so that their nominal fraction lies above.

    Parameters are those of :func:`fit`, which does it too.
    """
    model = uncompiled(model)
    if any(layer.choices.selection.calibrated for _, layer in noisy_layers(model)):
        _look(model, data, batch_size, inputs, read_thresholds)


def _look(
    model: nn.Module,
    data: Data,
    batch_size: int,
    inputs: Inputs,
    work: Callable[[Seen], None],
    *,
    measured: bool = False,
) -> None:
    """Work on all layers with the inputs that are asked for, and measure batch norms."""
    if inputs == "injected":
        images = torch.cat(list(image_batches(data, batch_size, model)))
        work_in_order(model, images, batch_size, work, measured=measured)
    else:
        work(SeenInExact(model, data, batch_size))
        if measured:
            measure_norms(model, data, batch_size)


def measure_norms(model: nn.Module, data: Data, batch_size: int) -> None:
    """Give batch norms the statistics of what reaches them in the injected network.

    Thresholds are then read from scores that go through the norms of all batches, layer after
    layer. Parameters are those of :func:`fit`, which does it too.
    """
    measure_batch_norms(model, image_batches(data, batch_size, model))
    layers = dict(noisy_layers(model)) if with_statistics(model) else {}
    if not any(layer.choices.selection.calibrated for layer in layers.values()):
        return
    order: dict[str, None] = {}
    visit_exact(model, [one_image(data, model)], lambda name, *_: order.update({name: None}))
    for name in order:
        if layers[name].choices.selection.calibrated:
            read_thresholds(SeenInItsPlace(model, data, batch_size, name))


def _refine(seen: Seen, epochs: int, lr: float, seed: int, progress: Callable[[str], None]) -> None:
    """Adam on what the closed form found."""
    if not epochs:
        return
    images, steps = seen.images(), epochs * sum(1 for _ in seen.batches())
    draws = torch.Generator().manual_seed(seed)
    optimiser, schedule = adam(seen.layers.values(), lr, steps)
    for epoch in range(epochs):
        order = torch.randperm(images, generator=draws)
        error = descend(seen.batches(order), optimiser, schedule)
        progress(f"fit epoch {epoch + 1}/{epochs}: mean relative squared error {error:.4f}")
