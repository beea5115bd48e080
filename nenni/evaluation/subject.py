"""What a network is before it is attacked: whether its answers are its own for each image."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from nenni.adversary.fast_copy import faster
from nenni.core.seeding import derive_seed
from nenni.evaluation.preconditions import check_classifier
from nenni.method.injection import is_randomised, noisy_layers, seed_noise

_SEVERAL = 32
"""Images that are asked again and again to see whether answers vary."""
_TRIAL = 8
"""Images on which the faster copy is proved, and which are asked alone."""
_NEAR = (0.01, 0.03, 0.1, 0.3)
"""How far from an image a network is asked that has seen the image before."""
_EXACTLY = 1e-4
"""Share of the outputs' deviation by which an answer to the same batch may change."""
_ROUNDING = 0.02
"""The same where the batch is another, and other kernels round otherwise."""
_FEW = 0.25
"""Share of the trial images that may change by more: a rounding may flip a hard mask."""
REMEMBERS = (
    "its answers depend on what it was asked before: each pass was made on a fresh copy of the "
    "network"
)
ROUNDING = (
    "the last digits of its sums, which change with the size of the batch, decide some of its "
    "masks: so do its answers"
)
BATCH_DEPENDS = "its answers depend on the rest of the batch: each image was asked alone"


@dataclass(frozen=True)
class Subject:
    """A network, and how it has to be asked.

    Attributes
    ----------
    model : Module
        What is judged: the network, or one that asks it so that each answer is the image's own.
    attacked : Module
        What attacks differentiate: the same, or a faster copy of it.
    classes : int or None
        Number of classes; None if it gives labels only.
    injected, randomised : bool
        Whether it is of this method, and whether two passes on the same images differ.
    notes : list of str
        What should be known about any number of it.
    """

    model: nn.Module
    attacked: nn.Module
    classes: int | None
    injected: bool
    randomised: bool
    notes: list[str] = field(default_factory=list)


def examine(model: nn.Module, images: Tensor) -> Subject:
    """Find out what a classifier is, by its answers to a batch that will be attacked.

    Parameters
    ----------
    model : Module
        In eval mode; copies of it are asked, where it can be copied.
    images : Tensor
        Images (N, C, H, W) in [0, 1].

    Raises
    ------
    UserError
        If it is no classifier of such images.
    """
    pristine = copied(model)
    trial = copied(pristine) or model
    classes, injected = check_classifier(trial, images[:1]), any(noisy_layers(model))
    if varies(model if pristine is None else pristine, images):
        return Subject(model, model, classes, injected, randomised=True)
    if pristine is not None and remembers(pristine, images):
        fresh = Afresh(pristine)
        return Subject(fresh, fresh, classes, injected, randomised=False, notes=[REMEMBERS])
    dependent = depends_on_batch(trial, images)
    if injected:
        notes = [ROUNDING] if dependent else []
        return Subject(model, model, classes, injected, randomised=False, notes=notes)
    if dependent:
        alone = Alone(model)
        return Subject(alone, alone, classes, injected, randomised=False, notes=[BATCH_DEPENDS])
    attacked, note = (model, "") if classes is None else faster(model, images[:_TRIAL])
    notes = [note] if note else []
    return Subject(model, attacked, classes, injected, randomised=False, notes=notes)


class Afresh(nn.Module):
    """A network each pass of which is its first.

    Parameters
    ----------
    network : Module
        One that was asked nothing yet.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.training = network.training

    def forward(self, images: Tensor) -> Tensor:
        """What a copy that saw nothing says."""
        return copy.deepcopy(self.network)(images)  # type: ignore[no-any-return]


class Alone(nn.Module):
    """A network that is asked about one image at a time.

    Parameters
    ----------
    network : Module
        A classifier.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.training = network.training

    def forward(self, images: Tensor) -> Tensor:
        """What it says of each image by itself."""
        if not len(images):
            return self.network(images)  # type: ignore[no-any-return]
        return torch.cat([self.network(image) for image in images.split(1)])


@torch.no_grad()
def varies(model: nn.Module, images: Tensor) -> bool:
    """Whether two passes on the same images differ: noise of this method, or of any other.

    A network that answers otherwise once it has seen an image, and stays with that, remembers; one
    that goes on changing draws from a source of its own. Copies are asked, where there can be any.
    """
    if is_randomised(model):
        return True
    images, outputs = images[:_SEVERAL], []
    for i in range(2):
        with drawn(model, "probe", i):
            outputs.append((copied(model) or model)(images.clone()))
    if not torch.equal(outputs[0].nan_to_num(), outputs[1].nan_to_num()):
        return True
    same = copied(model) or model
    with drawn(model, "probe"):
        passes = [same(images.clone()) for _ in range(3)]
    return not torch.equal(passes[1].nan_to_num(), passes[2].nan_to_num())


@torch.no_grad()
def remembers(pristine: nn.Module, images: Tensor) -> bool:
    """Whether a network that has seen some images answers otherwise than one that has not.

    Parameters
    ----------
    pristine : Module
        Copies of it are asked.
    images : Tensor
        Images (N, C, H, W) in [0, 1].
    """
    images = images[:_TRIAL]
    draws = torch.Generator(images.device).manual_seed(0)
    u = torch.rand(images.shape, generator=draws, device=images.device).to(images)
    for away in _NEAR:
        near = (images + away * (2 * u - 1)).clamp(0, 1)
        without, with_it = copy.deepcopy(pristine), copy.deepcopy(pristine)
        first = without(near.clone())
        with_it(images.clone())
        again = with_it(near.clone())
        if _differ(first, again, _EXACTLY) or _differ(first, without(near.clone()), _EXACTLY):
            return True
    return False


@torch.no_grad()
def depends_on_batch(model: nn.Module, images: Tensor) -> bool:
    """Whether an image's answer changes with the images beside it, or with their order."""
    if len(images) == 1:
        return False
    some = images[:_TRIAL]
    together = model(images.clone())[: len(some)]
    turned = model(images.flip(0)).flip(0)[: len(some)]
    alone = torch.cat([model(image.clone()) for image in some.split(1)])
    return any(_differ(alone, other, _ROUNDING) for other in (together, turned))


def _differ(first: Tensor, second: Tensor, rounding: float) -> bool:
    """Whether more than rounding lies between two answers to the same images."""
    if first.dim() == 1:
        changed = first != second
    else:
        first, second = first.double().nan_to_num(), second.double().nan_to_num()
        changed = (first - second).abs().amax(1) > rounding * first.std().clamp_min(1e-300)
    return bool(changed.double().mean() > _FEW)


@contextmanager
def drawn(model: nn.Module, *purpose: int | str) -> Iterator[None]:
    """Fix what a randomised model draws within, from its own layers or the global state."""
    seed_noise(model, *purpose)
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(*purpose, "global"))
        yield


def copied(model: nn.Module | None) -> nn.Module | None:
    """A copy of a network; None of what cannot be copied."""
    try:
        return copy.deepcopy(model)
    except Exception:
        return None
