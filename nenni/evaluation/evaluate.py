"""``nenni.evaluate``: a classifier and a suite of attacks in, a table out."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from nenni.adversary.attack_choice import AttackChoice
from nenni.adversary.fast_copy import faster
from nenni.adversary.suites import applicable, read_suite
from nenni.core import radius
from nenni.core.checkpoint import Checkpoint
from nenni.core.progress import Left
from nenni.core.types import Norm
from nenni.data.batches import Data, count_batches, device_of, labelled_batches
from nenni.evaluation.attack_images import Table, attack_batch, score, told, varies
from nenni.evaluation.preconditions import check_classifier, check_data
from nenni.evaluation.scoring import WORST, robust
from nenni.evaluation.statistics import wilson
from nenni.method.injection import noisy_layers

CLEAN, TRANSFER = "clean", "transfer"
COLUMNS = ["attack", "norm", "eps", "n", "accuracy", "low", "high", "worst_draw", "notes"]
_TRIAL = 8
"""Images on which the faster copy must answer as the network does."""


@dataclass(frozen=True)
class SuiteResult:
    """What a suite found.

    Attributes
    ----------
    summary : DataFrame
        One row for the clean images, one per attack, one for the least over all attacks per
        example: ``attack``, ``norm``, ``eps``, ``n``, ``accuracy`` with a 95 % Wilson interval
        ``low``, ``high``, ``worst_draw`` (the share that is right on every draw) and ``notes``.
    examples : DataFrame
        One row per attack and image: see :func:`nenni.evaluation.attack_images.attack_images`.
    """

    summary: pd.DataFrame
    examples: pd.DataFrame

    @property
    def robust_accuracy(self) -> float:
        """Share of images that are classified correctly under every attack."""
        return float(self.summary.loc[self.summary["attack"] == WORST, "accuracy"].min())


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
    resume: str | Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> SuiteResult:
    """Attack a classifier by a suite, and score it by rules that reward no luck.

    Every attack's images go through the model again; a plain network is attacked in a faster layout
    (:func:`nenni.adversary.fast_copy.faster`) and judged as it is. A model whose passes differ is
    randomised: its gradients are averaged where the attack can, and its images judged on several
    fresh draws, the same for every attack. An image counts as correct by its least mean over the
    attacks.

    Parameters
    ----------
    model : Module
        Any classifier in eval mode, giving logits (N, classes); with the suite ``labels``, labels
        (N,) are enough. Its normalisation belongs inside.
    data : tensors, loader or data set
        Images (N, C, H, W) in [0, 1] and labels (N,), see :data:`nenni.data.batches.Data`.
    suite : str or mapping
        A name of :data:`nenni.adversary.suites.SUITES`, or attacks by name as a config has them.
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
        Passes on which a randomised model is judged, and over which its gradients are averaged.
    seed : int
        Root of all random choices.
    resume : path or None
        File for the work done so far: a call that was killed continues from it.
    progress : callable
        Receives one line per attack and batch, and one per batch with the time that is left.

    Raises
    ------
    UserError
        If model, data and suite do not go together, or eps is no radius.
    """
    radius.check(eps, norm)
    batches = labelled_batches(data, batch_size, device_of(model), examples)
    head = next(batches)
    classes = check_classifier(model, head[0][:1])
    injected, randomised = any(noisy_layers(model)), varies(model, head[0])
    passes = draws if randomised else 1
    attacks = read_suite(suite, norm)
    if source is not None:
        attacks |= read_suite({TRANSFER: {"name": "pgd"}}, norm)
    attacks = applicable(attacks, injected=injected, randomised=randomised, samples=draws)
    fixed = classes is not None and not randomised
    attacked = faster(model, head[0][:_TRIAL]) if fixed else model
    key = _key(model, source, attacks, eps, seed, draws)
    parts = _Parts(Checkpoint(None if resume is None else Path(resume)), key, progress)
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in attacks}
    notes: dict[str, list[str]] = {name: [] for name in attacks}
    left = Left(count_batches(data, batch_size, examples))
    first = 0
    for x, y in chain([head], batches):
        check_data(x, y, classes)
        same, clean = _digest([x, y]), cache(partial(score, model, x, y, passes, (seed, first)))
        worked = False
        for name, attack in attacks.items():
            if (part := parts.kept(same)) is None:
                part = attack_batch(
                    model, x, y, clean(), attack, eps, seed=seed, name=name, index=first,
                    passes=passes, source=source if name == TRANSFER else attacked,
                )  # fmt: skip
                parts.keep(same, *part)
                worked = True
                progress(f"{name}, image {first + len(x)}: {told(part[0], attack, eps)}")
            table, said = part
            tables[name].append(pd.DataFrame(table))
            notes[name] += [note for note in said if note not in notes[name]]
        if worked:
            progress(f"batch {left.after()}")
        else:
            left.skip()
        first += len(x)
    whole = {name: pd.concat(found, ignore_index=True) for name, found in tables.items()}
    parts.checkpoint.discard()
    return SuiteResult(
        summary(whole, notes, norm),
        pd.concat([t.assign(attack=name) for name, t in whole.items()], ignore_index=True),
    )


def summary(
    tables: Mapping[str, pd.DataFrame], notes: Mapping[str, list[str]], norm: Norm
) -> pd.DataFrame:
    """Accuracy on clean images, under each attack and under all of them; see :class:`SuiteResult`.

    An attack may have fewer images than others, the first so many: there is then a row for all
    attacks on those images beside the one for the attacks on all of them.

    Parameters
    ----------
    tables : mapping
        Attack -> examples at one eps.
    notes : mapping
        Attack -> what should be known.
    norm : "linf" or "l2"
        What eps bounds.
    """
    sizes = sorted({len(table) for table in tables.values()}, reverse=True)
    most = next(table for table in tables.values() if len(table) == sizes[0])
    eps = float(most["eps"].iloc[0])
    rows = [_row(CLEAN, 0.0, most["clean_correct"], most["clean_correct"] >= 1)]
    for name, table in tables.items():
        said = "; ".join(notes.get(name, []))
        rows.append(_row(name, eps, robust(table), _on_every_draw(table), said))
    for n in sizes:
        shared = [table.iloc[:n] for table in tables.values() if len(table) >= n]
        least = pd.concat([robust(table) for table in shared], axis=1).min(axis=1)
        always = pd.concat([_on_every_draw(table) for table in shared], axis=1).all(axis=1)
        rows.append(_row(WORST, eps, least, always))
    return pd.DataFrame(rows).assign(norm=norm)[COLUMNS]


def _on_every_draw(table: pd.DataFrame) -> "pd.Series[bool]":
    return (table["clean_correct"] >= 1) & (table["adv_worst"] >= 1)


def _row(
    attack: str, eps: float, share: "pd.Series[float]", always: "pd.Series[bool]", notes: str = ""
) -> dict[str, Any]:
    low, high = wilson(share.sum(), len(share))
    return {
        "attack": attack,
        "eps": eps,
        "n": len(share),
        "accuracy": share.mean(),
        "low": low,
        "high": high,
        "worst_draw": always.mean(),
        "notes": notes,
    }


class _Parts:
    """Finished parts of the work in their order, kept between calls."""

    def __init__(self, checkpoint: Checkpoint, key: str, progress: Callable[[str], None]) -> None:
        self.checkpoint, self.done = checkpoint, 0
        self.state: dict[str, Any] = {"key": key, "parts": []}
        kept = checkpoint.load()
        if isinstance(kept, dict) and kept.get("key") == key:
            self.state = kept
            progress(f"resumed after {len(kept['parts'])} parts")

    def kept(self, data: str) -> tuple[Table, list[str]] | None:
        """The next part, if it was kept and is of this data."""
        parts = self.state["parts"]
        if self.done == len(parts):
            return None
        if parts[self.done]["data"] != data:
            del parts[self.done :]
            return None
        self.done += 1
        return parts[self.done - 1]["table"], parts[self.done - 1]["notes"]

    def keep(self, data: str, table: Table, notes: list[str]) -> None:
        """Add the next part."""
        self.state["parts"].append({"data": data, "table": table, "notes": notes})
        self.checkpoint.save(self.state)
        self.done += 1


def _key(
    model: nn.Module,
    source: nn.Module | None,
    attacks: Mapping[str, AttackChoice],
    eps: float,
    seed: int,
    draws: int,
) -> str:
    """Name of a piece of work: what a part kept by another call must have been part of."""
    asked = {name: asdict(attack) for name, attack in attacks.items()}
    settings = json.dumps([asked, eps, seed, draws], sort_keys=True).encode()
    networks = [model] if source is None else [model, source]
    tensors = [tensor for network in networks for tensor in network.state_dict().values()]
    return hashlib.sha256(settings + _digest(tensors).encode()).hexdigest()


def _digest(tensors: Iterable[Tensor]) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
