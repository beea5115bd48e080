"""``nenni.evaluate``: a classifier and a suite of attacks in, a table out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain, takewhile
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
_BY_CHANCE = 0.01
"""Share of a batch that one more attack breaks on honest networks, or one image."""
_DOUBTFUL = (
    "its gradient is zero, or not the slope of its function: believe the attacks without one"
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
    gradient is not the slope of the function (:mod:`nenni.evaluation.gradient_check`).

    Parameters
    ----------
    model : Module
        Any classifier in eval mode, giving logits (N, classes); with the suite ``labels``, labels
        (N,) are enough. Its normalisation belongs inside. Of what torch.compile gave, the network
        that it was given is asked.
    data : tensors, loader or data set
        Images (N, C, H, W) in [0, 1] and labels (N,), see :data:`nenni.data.batches.Data`.
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
        no radius, or a number of images or draws is none.
    """
    eps, model = radius.check(eps, norm), uncompiled(model)
    check_count("draws", draws)
    read = partial(labelled_batches, data, batch_size, device_of(model), examples)
    batches = read()
    head = next(batches)
    check_data(*head, None)
    subject = examine(model, head[0], eps=eps, norm=norm)
    attacks = read_suite(suite, norm)
    _check_names(attacks)
    if source is not None:
        attacks |= read_suite({TRANSFER: {"name": "pgd"}}, norm)
    named = FURTHER.get(suite, {}) if isinstance(suite, str) else {}
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
        doubted = bool(further) and doubtful(
            subject, *head, eps=eps, norm=norm, seed=seed, draws=draws
        )
        work = [seed, draws, subject.randomised]
        run = _Run(
            subject, here, after, doubted, source, eps, seed, draws, least_only,
            Parts(resume, key, progress), progress,
            (done or Done()).for_work(key_of([model], head[0][:1], work)),
        )  # fmt: skip
        left, first = Left(count_batches(data, batch_size, examples)), 0
        for x, y in batches:
            check_data(x, y, subject.classes)
            if run.attack(x, y, first):
                progress(f"batch {left.after()}")
            else:
                left.skip()
            first += len(x)
        run.parts.discard()
        return run.result(norm)

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
class _Run:
    """A suite on one batch after another."""

    subject: Subject
    attacks: Mapping[str, AttackChoice]
    further: Mapping[str, AttackChoice]
    doubted: bool
    source: nn.Module | None
    eps: float
    seed: int
    draws: int
    least_only: bool
    parts: Parts
    progress: Callable[[str], None]
    done: Done
    batches: list[dict[str, pd.DataFrame]] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)

    def attack(self, x: Tensor, y: Tensor, first: int) -> bool:
        """Attack the next batch by the suite; whether any of it was still to be done."""
        clean = score_clean(self.subject, x, y, self.draws, self.seed, first)
        left, data = clean["chosen"] > 0, digest([x, y])
        here: dict[str, pd.DataFrame] = {}
        worked = False
        for name, choice in self._asked(here):
            going = left if self.least_only or name in self.further else None
            do = partial(self._attack_by, choice, name, x, y, clean, first, going)
            (columns, said), kept = self.parts.next(f"{name} {data}", do)
            if not kept:
                self.progress(f"{name}, image {first + len(x)}: {told(columns, choice, self.eps)}")
            worked |= not kept
            if going is None and name != TRANSFER:
                self.done.keep(name, choice, self.eps, x, columns, said)
            table = pd.DataFrame(columns)
            if going is not None:
                table.loc[~going.cpu().numpy(), FLAGS] = 0.0
            here[name] = table
            known = self.notes.setdefault(name, [])
            known += [note for note in said if note not in known]
            if not self.subject.randomised:
                left = left & torch.tensor(table["any_correct"].to_numpy() > 0, device=y.device)
        self.batches.append(here)
        return worked

    def _asked(self, here: Mapping[str, pd.DataFrame]) -> Iterator[tuple[str, AttackChoice]]:
        """The attacks of the suite, and those that follow from what they found."""
        yield from self.attacks.items()
        for name, attack in self.further.items():
            if self.doubted or breaks_more(here, AFTER.get(name)):
                yield name, attack

    def _attack_by(
        self,
        choice: AttackChoice,
        name: str,
        x: Tensor,
        y: Tensor,
        clean: Scores,
        first: int,
        going: Tensor | None,
    ) -> Part:
        own = going is None and name != TRANSFER
        known = self.done.find(name, choice, self.eps, x, y, first) if own else None
        if known is not None:
            return known
        found = attack_batch(
            self.subject, x, y, clean, choice, self.eps, seed=self.seed, name=name, index=first,
            draws=self.draws, source=self.source if name == TRANSFER else None, going=going,
        )  # fmt: skip
        return found.table, found.notes

    def result(self, norm: Norm) -> SuiteResult:
        """The batches together."""
        names = dict.fromkeys(name for here in self.batches for name in here)
        tables = {
            name: pd.concat(
                [here[name] if name in here else _not_asked(here) for here in self.batches],
                ignore_index=True,
            )
            for name in names
        }
        of_all = [*self.subject.notes, *([_DOUBTFUL] if self.doubted else [])]
        notes = {name: [*of_all, *self.notes[name]] for name in tables}
        shares = least(tables.values())
        return SuiteResult(
            summary(tables, notes, norm),
            pd.concat([t.assign(attack=name) for name, t in tables.items()], ignore_index=True),
            persistence(shares if self.subject.randomised else shares[:0], TRIES),
            self.done,
            notes,
        )


def breaks_more(tables: Mapping[str, pd.DataFrame], name: str | None) -> bool:
    """Whether an attack broke more than a few images that those before it did not.

    Parameters
    ----------
    tables : mapping
        Attack -> examples of one batch, in the order in which they were made.
    name : str or None
        Which attack.
    """
    if name is None or name not in tables:
        return False
    before = [*takewhile(lambda attack: attack != name, tables)]
    if not any(tables[attack]["backwards"].sum() for attack in before):
        return False
    others = least(tables[attack] for attack in before)
    more = (others > 0.5) & (least([tables[name]]) < 0.5)
    return int(more.sum()) > max(1, _BY_CHANCE * len(more))


def _not_asked(here: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Rows of an attack that a batch gave no reason for."""
    table, flags = next(iter(here.values())).copy(), least(here.values())
    table[["forwards", "backwards", "linf", "l2"]] = 0.0
    table["adv_pred"], table["adv_margin"] = table["clean_pred"], table["clean_margin"]
    for flag in FLAGS:
        table[flag] = flags
    return table
