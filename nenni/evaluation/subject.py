"""What a network is before it is attacked: whether its answers are its own for each image."""

from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor, nn

from nenni.adversary.ball import Ball
from nenni.adversary.fast_copy import faster
from nenni.core.errors import UserError, in_a_line
from nenni.core.keyed import Keyed
from nenni.core.seeding import generator, seeded
from nenni.core.types import Norm
from nenni.evaluation.company import DRAWS, in_company
from nenni.evaluation.known_parts import made_of_known_parts
from nenni.evaluation.memory import found_in_answers
from nenni.evaluation.preconditions import check_classifier
from nenni.method.baseline import baseline_layers
from nenni.method.injection import is_randomised, noisy_layers
from nenni.networks import copying
from nenni.networks.copying import copied_or_none

_SEVERAL = 32
"""Images that are asked again and again to see whether answers vary, and each alone."""
_TRIAL = 8
"""Images on which the faster copy is proved."""
_ROUNDING = 0.02
"""Share of the outputs' spread by which an answer may change in another batch, where other
kernels round otherwise."""
_FEW = 1 / 16
"""Share of the images whose answer may change by more: a rounding may flip a hard mask."""
_SUM = 1e-2
"""By how much probabilities in half precision may miss their sum."""
REMEMBERS = (
    "its answers depend on what it was asked before: each pass was made on a fresh copy of the "
    "network"
)
UNCOPIED = "it cannot be copied: what it remembers could not be seen by a copy that saw nothing"
RESTLESS = (
    "its answers go on changing with the same seed of torch: it draws from a source of its own, or "
    "learns from what it is asked; it was taken to be randomised, what it remembers was not seen"
)
UNSTEADY = (
    "its answers to the same points changed while it was attacked: it was taken to be randomised"
)
ROUNDING = (
    "the last digits of its sums, which change with the size of the batch, decide some of its "
    "masks: so do its answers"
)
PROBABILITIES = (
    "its outputs are probabilities, on which losses saturate: let it return the logits before them"
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
    copied : bool
        Whether copies of it could be asked what they remember, and their answers compared.
    notes : list of str
        What should be known about any number of it.
    """

    model: nn.Module
    attacked: nn.Module
    classes: int | None
    injected: bool
    randomised: bool
    copied: bool = True
    notes: list[str] = field(default_factory=list)


def examine(model: nn.Module, images: Tensor, *, eps: float, norm: Norm) -> Subject:
    """Find out what a classifier is, by its answers to a batch that will be attacked.

    Parameters
    ----------
    model : Module
        In eval mode; copies of it are asked, where it can be copied.
    images : Tensor
        Images (N, C, H, W) in [0, 1].
    eps, norm : float, "linf" or "l2"
        The ball within which it will be attacked.

    Raises
    ------
    UserError
        If it is no classifier of such images, or of some near them.
    """
    try:
        subject = _examined(model, images, eps, norm)
        if subject.classes is None or not gives_probabilities(model, images[:_TRIAL]):
            return subject
        return replace(subject, notes=[*subject.notes, PROBABILITIES])
    except UserError:
        raise
    except Exception as error:
        told = f"{type(error).__name__}: {in_a_line(error)}"
        raise UserError(f"the model fails on images near the given ones: {told}") from error


def _examined(model: nn.Module, images: Tensor, eps: float, norm: Norm) -> Subject:
    pristine = copied_or_none(model)
    trial = copied_or_none(pristine) or model
    classes, injected = check_classifier(trial, images[:1]), any(noisy_layers(model))
    of = partial(Subject, classes=classes, injected=injected, copied=pristine is not None)
    known = made_of_known_parts(model)
    if not known and changes_by_itself(pristine or model, images, eps, norm):
        return of(model, model, randomised=True, copied=False, notes=[RESTLESS])
    randomised = varies(pristine or model, images, eps, norm)
    if pristine is not None and not known:
        with seeded("memory"):
            else_than_images = found_in_answers(
                pristine, images, eps=eps, norm=norm, randomised=randomised
            )
        if else_than_images == "memory":
            return of(Afresh(pristine), Afresh(pristine), randomised=randomised, notes=[REMEMBERS])
        randomised |= else_than_images == "chance"
    notes = [UNCOPIED] if pristine is None else []
    dependent = depends_on_batch(trial, images, eps, norm, randomised=randomised)
    may_flip = injected or any(baseline_layers(model))
    if dependent and may_flip and _by_rounding(trial, images, eps, norm, randomised=randomised):
        dependent, notes = False, [ROUNDING, *notes]
    if dependent:
        notes = [BATCH_DEPENDS, *notes]
        return of(Alone(model), Alone(model), randomised=randomised, notes=notes)
    if injected or randomised or classes is None:
        return of(model, model, randomised=randomised, notes=notes)
    attacked, note = faster(model, images[:_TRIAL])
    return of(model, attacked, randomised=False, notes=[note, *notes] if note else notes)


@torch.no_grad()
def gives_probabilities(model: nn.Module, images: Tensor) -> bool:
    """Whether a classifier's outputs are no logits, but numbers from 0 to 1 with a sum of 1."""
    with seeded("probabilities"):
        outputs = (copied_or_none(model) or model)(images.clone()).double()
    sums = outputs.sum(1)
    shares = bool((outputs >= 0).all()) and bool((outputs <= 1).all())
    return shares and torch.allclose(sums, torch.ones_like(sums), atol=_SUM)


class Unsteady(Exception):
    """A network that was taken to be deterministic answers the same points otherwise."""


def at_random(subject: Subject, model: nn.Module) -> Subject:
    """The same network, taken to be randomised after all."""
    notes = [*subject.notes, UNSTEADY]
    return replace(subject, model=model, attacked=model, randomised=True, notes=notes)


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
        self.training = False

    def forward(self, images: Tensor) -> Tensor:
        """What a copy that saw nothing says."""
        return copying.copied(self.network)(images)  # type: ignore[no-any-return]


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
        self.training = False

    def forward(self, images: Tensor) -> Tensor:
        """What it says of each image by itself."""
        if not len(images):
            return self.network(images)  # type: ignore[no-any-return]
        return torch.cat([self.network(image) for image in images.split(1)])


@torch.no_grad()
def varies(model: nn.Module, images: Tensor, eps: float, norm: Norm) -> bool:
    """Whether two passes on the same points differ: noise of this method, or of any other.

    The points are images, and others at random in their balls. Copies are asked, where there can
    be any, each with another seed of torch's global state.
    """
    if is_randomised(model):
        return True
    points, outputs = _in_balls(images, eps, norm), []
    for i in range(2):
        with seeded("probe", i):
            outputs.append((copied_or_none(model) or model)(points.clone()))
    return not torch.equal(outputs[0].nan_to_num(), outputs[1].nan_to_num())


@torch.no_grad()
def changes_by_itself(model: nn.Module, images: Tensor, eps: float, norm: Norm) -> bool:
    """Whether one network goes on changing its answers, though torch's state is the same.

    One that answers otherwise once it has seen an image, and stays with that, remembers; one that
    goes on changing draws from a source of its own, or learns from what it is asked.
    """
    same, points, outputs = copied_or_none(model) or model, _in_balls(images, eps, norm), []
    for _ in range(3):
        with seeded("probe"):
            outputs.append(same(points.clone()).nan_to_num())
    return not torch.equal(outputs[1], outputs[2])


def _in_balls(images: Tensor, eps: float, norm: Norm) -> Tensor:
    """A few images, and as many random points within their balls and at the border of these."""
    images = images[:_SEVERAL]
    draws, ball = Keyed.by_content(images, generator(0, "probe")), Ball(images, eps, norm)
    return torch.cat([images, ball.uniform(draws.at(0)), ball.border(draws.at(1))])


def depends_on_batch(
    model: nn.Module, images: Tensor, eps: float, norm: Norm, *, randomised: bool
) -> bool:
    """Whether answers change with the images beside one, or with their order.

    A few images are asked about, and a random point at the border of the ball of each: a network
    may answer otherwise there alone.
    """
    few = images[: _SEVERAL // 2]
    near = Ball(few, eps, norm).border(Keyed.by_content(few, generator(0, "company")).at(0))
    company, asked = torch.cat([few, near, images[len(few) :]]), 2 * len(few)
    draws = DRAWS if randomised else 1
    found = in_company(model, company, _ROUNDING, first=asked, draws=draws)
    return any(float(flags.double().mean()) > _FEW for flags in found.values())


def _by_rounding(
    model: nn.Module, images: Tensor, eps: float, norm: Norm, *, randomised: bool
) -> bool:
    """Whether the batch decides the answers by the last digits alone: not in double precision."""
    try:
        exact = copying.copied(model).double()
        return not depends_on_batch(exact, images.double(), eps, norm, randomised=randomised)
    except Exception:
        return False
