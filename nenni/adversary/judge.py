"""Whoever shows a point to the network under attack shows it to a judge: any iterate counts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nenni.adversary.ball import Ball
from nenni.adversary.losses import is_wrong, margin
from nenni.core import radius
from nenni.core.errors import UserError
from nenni.core.types import Norm
from nenni.data.checks import check_data
from nenni.networks.asking import answer, check_answer, check_ready


class Among(NamedTuple):
    """Some of a judge's images, and where they stand: writing by index is slow on a GPU.

    Their numbers (M,); which of all images they are, (N,) of bool; the place of each of all among
    them, (N,), anything for the others.
    """

    rows: Tensor
    asked: Tensor
    place: Tensor

    @classmethod
    def of(cls, rows: Tensor, count: int) -> "Among":
        """From their numbers and that of all images."""
        asked = torch.zeros(count, dtype=torch.bool, device=rows.device)
        place = torch.zeros(count, dtype=torch.int64, device=rows.device)
        asked[rows], place[rows] = True, torch.arange(len(rows), device=rows.device)
        return cls(rows, asked, place)


class Judge:
    """The worst point of each ball that an attack tried, by what the judged network says of it.

    Points outside the ball do not count. An output that is not finite counts as wrong.

    Parameters
    ----------
    network : Module or None
        What is asked; None where the attack asks the judged network itself, whose outputs are then
        taken.
    inputs, labels : Tensor
        Images (N, C, H, W) in [0, 1] and classes (N,).
    eps, norm : float, "linf" or "l2"
        The ball.
    targeted : bool
        The labels are to be reached, not to be left.
    randomised : bool
        One pass says little: no image counts as broken while the attack goes on.
    leave : bool
        The least is wanted alone: a broken image need not be attacked further.

    Attributes
    ----------
    images : Tensor
        The worst point of each image, the input until one was seen.
    wrong : Tensor
        Share of passes in which it was misclassified, (N,).
    margin : Tensor
        Its largest other logit less that of the label, a mean over those passes, (N,).
    forwards, backwards : Tensor
        Passes that were spent on each image, (N,).
    history : list of Tensor
        Mean margin over the images after each point that was seen.
    """

    def __init__(
        self,
        network: nn.Module | None,
        inputs: Tensor,
        labels: Tensor,
        eps: float,
        norm: Norm,
        *,
        targeted: bool = False,
        randomised: bool = False,
        leave: bool = False,
    ) -> None:
        self.network, self.labels = network, labels
        self.targeted, self.randomised, self.leave = targeted, randomised, leave
        self.ball = Ball(inputs, eps, norm)
        self.images = inputs.clone()
        self.margin = torch.full(
            labels.shape, -torch.inf, dtype=torch.float64, device=labels.device
        )
        self.wrong = torch.zeros_like(self.margin)
        self.forwards, self.backwards = torch.zeros_like(self.wrong), torch.zeros_like(self.wrong)
        self.history: list[Tensor] = []
        self._last = self.margin.clone()

    @property
    def broken(self) -> Tensor:
        """Which images are misclassified somewhere in their ball, (N,) of bool."""
        return (self.wrong > 0) & (not self.randomised)

    def see(self, among: Among, images: Tensor, outputs: list[Tensor]) -> None:
        """Judge one point of each of some images by the outputs of one or more passes.

        Parameters
        ----------
        among : Among
            Which images, M of them.
        images : Tensor
            Their points (M, C, H, W).
        outputs : list of Tensor
            Logits (M, classes) or labels (M,), one for each pass.
        """
        if not len(images):
            return
        labels = self.labels[among.rows]
        distance = mean([self._distance(z, labels) for z in outputs])[among.place]
        missed = [is_wrong(z, labels, self.targeted).double() for z in outputs]
        wrong = mean(missed)[among.place]
        self._last = torch.where(among.asked, distance, self._last)
        self.history.append(self._last.mean())
        worse = (wrong > self.wrong) | ((wrong == self.wrong) & (distance > self.margin))
        worse &= among.asked
        rows = worse.nonzero()[:, 0]
        if not len(rows):
            return
        points = images[among.place[rows]]
        inside = self.ball.contains(points, rows)
        if not bool(inside.all()):
            worse[rows], rows, points = inside, rows[inside], points[inside]
        self.images[rows] = points.to(self.images)
        self.wrong = torch.where(worse, wrong, self.wrong)
        self.margin = torch.where(worse, distance, self.margin)

    def _distance(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """By which points are ranked: above 0 where the output is wrong."""
        if outputs.dim() == 1:
            distance = (outputs != labels).double() * 2 - 1
        else:
            distance = margin(outputs, labels).double()
        distance = -distance if self.targeted else distance
        return distance.nan_to_num(nan=torch.inf)


class Watched(nn.Module):
    """A network under attack: each point that it is asked about is shown to a judge.

    Parameters
    ----------
    network : Module
        What the attack asks. It gets copies of the images, which it may overwrite.
    judge : Judge or None
        Sees each point.
    rows : Tensor
        Which of the judge's images the network is asked about, (M,).
    classes : int
        As many logits as the labels ask for at least.
    """

    def __init__(
        self, network: nn.Module, judge: Judge | None, rows: Tensor, classes: int = 0
    ) -> None:
        super().__init__()
        self.network, self.judge, self.rows, self.classes = network, judge, rows, classes
        self.training = getattr(network, "training", False)
        self._of_one_point: list[Tensor] | None = None
        self._latest: tuple[Tensor, Watched] | None = None

    def of(self, rows: Tensor) -> "Watched":
        """The same for some of the images: their numbers (M,), or (N,) of bool."""
        if self._latest is None or self._latest[0] is not rows:
            self._latest = rows, Watched(self.network, self.judge, self.rows[rows], self.classes)
        return self._latest[1]

    @cached_property
    def _among(self) -> Among:
        assert self.judge is not None
        return Among.of(self.rows, len(self.judge.labels))

    @property
    def broken(self) -> Tensor:
        """Which of the images the judge has seen misclassified, (M,) of bool."""
        if self.judge is None:
            return torch.zeros_like(self.rows, dtype=torch.bool)
        return self.judge.broken[self.rows]

    @property
    def worst(self) -> Tensor:
        """Of each image, the point that the judge has seen to be worst, (M, C, H, W)."""
        assert self.judge is not None
        return self.judge.images[self.rows]

    @property
    def leave(self) -> bool:
        """Whether broken images need not be attacked further."""
        return self.judge is not None and self.judge.leave

    @property
    def randomised(self) -> bool:
        """Whether one pass says little."""
        return self.judge is not None and self.judge.randomised

    def forward(self, images: Tensor) -> Tensor:
        """What the network says of one point of each image, in their order.

        Of points of other number or order, as attacks of other libraries ask, nothing is judged.
        """
        outputs = check_answer(answer(self.network, images), images)
        if outputs.dim() > 1 and outputs.shape[1] < self.classes:
            raise UserError(
                f"a label is {self.classes - 1}, and the model knows 0 to {outputs.shape[1] - 1}"
            )
        if self.judge is None:
            return outputs
        whole, share = len(images) == len(self.rows), len(images) / max(1, len(self.rows))
        self.judge.forwards.add_(self._among.asked, alpha=share)
        if outputs.requires_grad:
            outputs.register_hook(lambda _: self._count_back(share))
        if whole and self._of_one_point is not None:
            self._of_one_point.append(outputs.detach())
        elif whole:
            self._show(images.detach(), [outputs.detach()])
        return outputs

    @contextmanager
    def one_point(self, images: Tensor, *, shown: bool = True) -> Iterator[None]:
        """The passes within are of one point, and judged together, or not at all."""
        self._of_one_point = []
        try:
            yield
            if shown and self.judge is not None:
                self._show(images.detach(), self._of_one_point)
        finally:
            self._of_one_point = None

    @torch.no_grad()
    def _show(self, images: Tensor, outputs: list[Tensor]) -> None:
        assert self.judge is not None
        if self.judge.network is not None:
            outputs = [answer(self.judge.network, images) for _ in outputs]
            self.judge.forwards.add_(self._among.asked, alpha=len(outputs))
        self.judge.see(self._among, images, outputs)

    def _count_back(self, share: float) -> None:
        assert self.judge is not None
        self.judge.backwards.add_(self._among.asked, alpha=share)


def mean(passes: Sequence[Tensor]) -> Tensor:
    """Mean over what several passes gave."""
    return passes[0] if len(passes) == 1 else torch.stack([*passes]).mean(0)


def watched(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    norm: Norm,
    *,
    targeted: bool = False,
    judged: bool = False,
) -> Watched:
    """The model as an attack asks it; one that is watched already was checked by who watches it.

    Parameters
    ----------
    model : Module
        What the attack was given.
    inputs, labels, eps, norm, targeted
        See :mod:`nenni.adversary.attacks`.
    judged : bool
        The attack needs to know which images are broken: a model without a judge gets one.

    Raises
    ------
    UserError
        If eps is no radius, the images are none in [0, 1], the labels no classes, or the model has
        no weights yet.
    """
    if eps != torch.inf:
        radius.check(eps, norm)
    if not isinstance(model, Watched):
        classes = _checked(model, inputs, labels)
        model = Watched(model, None, torch.arange(len(inputs), device=inputs.device), classes)
    if judged and model.judge is None:
        judge = Judge(None, inputs, labels, eps, norm, targeted=targeted)
        return Watched(model.network, judge, model.rows, model.classes)
    return model


def _checked(model: nn.Module, inputs: Tensor, labels: Tensor) -> int:
    """How many classes the labels of an attack ask for, if all it was given can be used."""
    check_ready(model)
    if len(inputs):
        check_data(inputs, labels, None)
    if labels.dtype != torch.int64 or labels.device != inputs.device:
        raise UserError(
            f"labels should be torch.int64 on {inputs.device}, got {labels.dtype} on "
            f"{labels.device}: give labels.to(images.device, torch.int64)"
        )
    return 1 + int(labels.max()) if len(labels) else 0
