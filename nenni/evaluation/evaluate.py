"""``nenni.evaluate``: a classifier and a suite of attacks in, a table out."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from nenni.adversary.attack_choice import AttackChoice
from nenni.adversary.suite_attacks import AFTER, FURTHER
from nenni.adversary.suites import applicable, read_suite
from nenni.core import radius
from nenni.core.errors import UserError
from nenni.core.progress import Left
from nenni.core.types import Norm
from nenni.data.batches import (
    Data,
    check_repeatable,
    count_batches,
    device_of,
    labelled_batches,
)
from nenni.data.checks import check_count, check_data
from nenni.evaluation.attack_images import FLAGS, TRIES, attack_batch, score_clean, told
from nenni.evaluation.done import Done
from nenni.evaluation.further import Seen, breaks_more
from nenni.evaluation.gradient_check import doubtful
from nenni.evaluation.persistence import persistence
from nenni.evaluation.resume import Part, Parts, digest, key_of
from nenni.evaluation.scoring import WORST, Scores, least
from nenni.evaluation.subject import UNSTEADY, Subject, Unsteady, at_random, examine
from nenni.evaluation.suite_result import CLEAN, SuiteResult, summary
from nenni.networks.copying import uncompiled

TRANSFER = "transfer"
_OTHER_ROWS = (CLEAN, WORST, TRANSFER)
"""Rows of the summary that are no attack of a suite."""
_DOUBTFUL = (
    "its gradient is zero, or not the slope of its function: believe the attacks without one"
)
_CHANGED = (
    "further attacks go through the data a second time, and {} of {} images were not among them: "
    "give tensors, or a loader that gives the same images each time"
)


def evaluate(
    model: nn.Module,
    data: Data,
    suite: str | Mapping[str, dict[str, Any]] = "standard",
    *,
    eps: float = 8 / 255,
    norm: Norm = "linf",
    source: nn.Module | None = None,
    examples: int | None = None,
    batch_size: int = 250,
    draws: int = 10,
    seed: int = 0,
    least_only: bool = False,
    done: Done | None = None,
    resume: str | Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> SuiteResult:
    """Attack a classifier by a suite, and score it by rules that reward no luck.

    An image is broken where the network misclassifies any point of its ball that an attack tried,
    and does so again when it is asked apart (:mod:`nenni.adversary.judge`). A plain network is
    attacked in a faster layout that was proved to be the same function
    (:func:`nenni.adversary.fast_copy.faster`). A model whose passes differ is randomised: gradients
    are averaged, the worst point of each image is chosen on some draws and scored on others, and
    no lucky draw ends an attack. Square and RayS of a named suite go on where they broke more than
    one image in a hundred that attacks with a gradient did not, and so does the suite where the
    gradient is not the slope of the function (:mod:`nenni.evaluation.gradient_check`). Both are
    decided once, on all images, which are gone through a second time for what follows.

    Parameters
    ----------
    model : Module
        Any classifier in eval mode, giving logits (N, classes); with the suite ``labels``, labels
        (N,) are enough. Its normalisation belongs inside. Of what torch.compile gave, the network
        that it was given is asked.
    data : tensors, loader or data set
        Images (N, C, H, W) in [0, 1] and labels (N,), see :data:`nenni.data.batches.Data`. Further
        attacks of a named suite go through them a second time.
    suite : str or mapping
        A name of :data:`nenni.adversary.suite_attacks.SUITES`, or attacks as a config has them.
    eps : float
        Radius in units of the [0, 1] input.
    norm : "linf" or "l2"
        What it bounds.
    source : Module or None
        An independently trained network; the suite then has a transfer attack from it.
    examples : int or None
        Only the first so many images.
    batch_size : int
        Images that are attacked at once; a loader has its own.
    draws : int
        Passes on which a randomised model's worst points are chosen, and over which its gradients
        are averaged.
    seed : int
        Root of all random choices.
    least_only : bool
        Only the least over all attacks is wanted: a broken image is attacked no further.
    done : Done or None
        What was found of the same network with the same seed and draws, as ``done`` of a result of
        :func:`nenni.diagnose`: those attacks are not made again.
    resume : path or None
        File for the work done so far: a call that was killed continues from it.
    progress : callable
        Receives one line per attack and batch, and one per batch with the time that is left.

    Raises
    ------
    UserError
        If model, data and suite do not go together, an attack has the name of another row, eps is
        no radius, or a number of images or draws is none; or if data of a named suite can be gone
        through only once, or give other images the second time.
    """
    eps, model = radius.check(eps, norm), uncompiled(model)
    check_count("draws", draws)
    named = FURTHER.get(suite, {}) if isinstance(suite, str) else {}
    if named:
        check_repeatable(data)
    again = partial(labelled_batches, data, batch_size, device_of(model))
    read = partial(again, examples)
    batches = read()
    head = next(batches)
    check_data(*head, None)
    subject = examine(model, head[0], eps=eps, norm=norm)
    attacks = read_suite(suite, norm)
    _check_names(attacks)
    if source is not None:
        attacks |= read_suite({TRANSFER: {"name": "pgd"}}, norm)
    further = read_suite(named, norm) if named else {}

    def attacked(subject: Subject, batches: Iterable[tuple[Tensor, Tensor]]) -> SuiteResult:
        fitting = partial(
            applicable, injected=subject.injected, randomised=subject.randomised, samples=draws
        )
        here, after = fitting(attacks), fitting(further)
        if not here:
            listed = ", ".join(attacks)
            raise UserError(f"suite: {listed}: for injected networks alone, and this is none")
        asked = [[name, asdict(attack)] for name, attack in (here | after).items()]
        networks = [model] if source is None else [model, source]
        settings = [asked, eps, seed, draws, least_only, subject.randomised]
        key = key_of(networks, head[0], settings) if resume is not None else ""
        work = [seed, draws, subject.randomised]
        run = _Run(
            subject, source, eps, norm, seed, draws, least_only, Parts(resume, key, progress),
            progress, (done or Done()).for_work(key_of([model], head[0][:1], work)),
        )  # fmt: skip
        count = count_batches(data, batch_size, examples)
        run.attack(here, batches, count)
        doubted = bool(after) and run.doubts()
        if following := after if doubted else run.asked_for(after):
            run.attack_what_is_left(following, again(), count)
        run.parts.discard()
        return run.result([_DOUBTFUL] if doubted else [])

    try:
        return attacked(subject, chain([head], batches))
    except Unsteady:
        check_repeatable(data)
        progress(UNSTEADY)
        return attacked(at_random(subject, model), read())


def _check_names(attacks: Iterable[str]) -> None:
    for name in attacks:
        if not name.strip() or name in _OTHER_ROWS:
            raise UserError(
                "suite: an attack should have a name that is no other row of the summary "
                f"({', '.join(_OTHER_ROWS)}), got {name!r}"
            )


@dataclass(frozen=True)
class _Batch:
    """Images, their classes, what the network says of them, and the index of the first."""

    x: Tensor
    y: Tensor
    clean: Scores
    first: int


@dataclass(frozen=True)
class _Run:
    """Attacks on one batch after another."""

    subject: Subject
    source: nn.Module | None
    eps: float
    norm: Norm
    seed: int
    draws: int
    least_only: bool
    parts: Parts
    progress: Callable[[str], None]
    done: Done
    seen: Seen = field(default_factory=Seen)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)

    def attack(
        self,
        attacks: Mapping[str, AttackChoice],
        batches: Iterable[tuple[Tensor, Tensor]],
        count: int | None,
    ) -> None:
        """Attack all images by the suite."""
        time, found = Left(count), []
        for x, y in batches:
            check_data(x, y, self.subject.classes)
            first = len(self.seen)
            clean = score_clean(self.subject, x, y, self.draws, self.seed, first)
            self.seen.add(x, y)
            batch, left = _Batch(x, y, clean, first), clean["chosen"] > 0
            here, worked = self._attack(attacks, batch, left, least_only=self.least_only)
            found.append(here)
            self._tell(time, "batch", worked)
        self.tables.update(_together(found))

    def doubts(self) -> bool:
        """Whether attacks by the gradient cannot be believed."""
        return doubtful(
            self.subject, *self.seen.few, eps=self.eps, norm=self.norm, seed=self.seed,
            draws=self.draws,
        )  # fmt: skip

    def asked_for(self, attacks: Mapping[str, AttackChoice]) -> dict[str, AttackChoice]:
        """Those of the attacks that follow from what the suite found."""
        return {
            name: attack
            for name, attack in attacks.items()
            if breaks_more(self.tables, AFTER.get(name))
        }

    def attack_what_is_left(
        self,
        attacks: Mapping[str, AttackChoice],
        batches: Iterable[tuple[Tensor, Tensor]],
        count: int | None,
    ) -> None:
        """Attack the images that the suite left, in a second pass over all.

        Raises
        ------
        UserError
            If the second pass lacks images of the first.
        """
        time, found, missing = Left(count), [], len(self.seen)
        left, clean = self._left(), next(iter(self.tables.values()))
        for x, y, rows in self.seen.again(batches):
            scores = _clean_scores(clean.iloc[rows], y.device)
            batch = _Batch(x, y, scores, rows[0])
            here, worked = self._attack(attacks, batch, left[rows].to(y.device), least_only=True)
            found.append({name: table.assign(index=rows) for name, table in here.items()})
            self._tell(time, "further attacks, batch", worked)
            missing -= len(rows)
        if missing:
            raise UserError(_CHANGED.format(missing, len(self.seen)))
        self.tables.update(
            (name, table.sort_values("index", ignore_index=True))
            for name, table in _together(found).items()
        )

    def _left(self) -> Tensor:
        """Which images the suite left; of a randomised network all that were ever right."""
        if self.subject.randomised:
            shares = next(iter(self.tables.values()))["clean_chosen"]
        else:
            shares = least(self.tables.values())
        return torch.tensor(shares.to_numpy() > 0)

    def _tell(self, time: Left, what: str, worked: bool) -> None:
        if worked:
            self.progress(f"{what} {time.after()}")
        else:
            time.skip()

    def _attack(
        self,
        attacks: Mapping[str, AttackChoice],
        batch: _Batch,
        left: Tensor,
        *,
        least_only: bool,
    ) -> tuple[dict[str, pd.DataFrame], bool]:
        """Examples of each attack on a batch, and whether any of it was still to be done."""
        x, y, data = batch.x, batch.y, digest([batch.x, batch.y])
        here: dict[str, pd.DataFrame] = {}
        worked = False
        for name, choice in attacks.items():
            going = left if least_only else None
            do = partial(self._attack_by, choice, name, batch, going)
            (columns, said), kept = self.parts.next(f"{name} {data}", do)
            worked |= not kept
            if going is None and name != TRANSFER:
                self.done.keep(name, choice, self.eps, x, columns, said)
            table = pd.DataFrame(columns)
            if going is not None:
                table.loc[~going.cpu().numpy(), FLAGS] = 0.0
            if not kept:
                until = batch.first + len(x)
                self.progress(f"{name}, image {until}: {told(table, choice, self.eps)}")
            here[name] = table
            known = self.notes.setdefault(name, [])
            known += [note for note in said if note not in known]
            if not self.subject.randomised:
                left = left & torch.tensor(table["any_correct"].to_numpy() > 0, device=y.device)
        return here, worked

    def _attack_by(
        self, choice: AttackChoice, name: str, batch: _Batch, going: Tensor | None
    ) -> Part:
        x, y = batch.x, batch.y
        own = going is None and name != TRANSFER
        known = self.done.find(name, choice, self.eps, x, y, batch.first) if own else None
        if known is not None:
            return known
        found = attack_batch(
            self.subject, x, y, batch.clean, choice, self.eps, seed=self.seed, name=name,
            index=batch.first, draws=self.draws, going=going,
            source=self.source if name == TRANSFER else None,
        )  # fmt: skip
        return found.table, found.notes

    def result(self, of_all: list[str]) -> SuiteResult:
        """The batches together, with notes on every attack."""
        of_all = [*self.subject.notes, *of_all]
        notes = {name: [*of_all, *self.notes[name]] for name in self.tables}
        shares = least(self.tables.values())
        return SuiteResult(
            summary(self.tables, notes, self.norm),
            pd.concat([t.assign(attack=n) for n, t in self.tables.items()], ignore_index=True),
            persistence(shares if self.subject.randomised else shares[:0], TRIES),
            self.done,
            notes,
        )


def _together(batches: list[dict[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """The examples of each attack on all batches."""
    return {
        name: pd.concat([here[name] for here in batches], ignore_index=True) for name in batches[0]
    }


def _clean_scores(table: pd.DataFrame, device: torch.device) -> Scores:
    """What the network said of images before any attack, from the examples of one."""
    names = ("pred", "correct", "chosen", "margin")
    return {n: torch.tensor(table[f"clean_{n}"].to_numpy(), device=device) for n in names}
