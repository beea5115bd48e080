"""``nenni.card``: a classifier and images in, what is known of its robustness and cost out."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from torch import Tensor, nn

from nenni.adversary.attack_choice import AttackChoice
from nenni.adversary.suite_attacks import CARD, FURTHER
from nenni.adversary.suites import applicable, read_suite
from nenni.cards import cost
from nenni.cards.about import about_images, about_machine, about_network
from nenni.cards.outcomes import written
from nenni.cards.schema import (
    SCHEMA,
    Accuracy,
    Attack,
    Card,
    Check,
    Clean,
    Diagnosis,
    Tries,
)
from nenni.cards.schema_cost import Cost
from nenni.cards.schema_run import Protocol
from nenni.core import radius
from nenni.core.errors import UserError, on_a_line
from nenni.core.progress import Left
from nenni.core.types import Norm
from nenni.cost.describe import describe
from nenni.data.batches import (
    Data,
    all_labelled,
    check_repeatable,
    count_batches,
    device_of,
    labelled_batches,
)
from nenni.data.checks import check_count, check_data
from nenni.evaluation.ablation import without_noise
from nenni.evaluation.battery_size import count_attacks
from nenni.evaluation.diagnose import diagnose
from nenni.evaluation.evaluate import evaluate
from nenni.evaluation.scoring import least, robust, robust_at_any
from nenni.evaluation.statistics import wilson
from nenni.evaluation.suite_result import SuiteResult
from nenni.method.injection import noisy_layers
from nenni.networks.build import architecture_of
from nenni.networks.copying import copied_or_none, uncompiled

Suite = str | Mapping[str, dict[str, Any]]
_OWN = "own"


def card(
    model: nn.Module,
    data: Data,
    suite: Suite = CARD,
    *,
    name: str | None = None,
    data_name: str = "images",
    eps: float = 8 / 255,
    norm: Norm = "linf",
    examples: int | None = None,
    diagnosed: int = 40,
    batch_size: int = 250,
    draws: int = 10,
    seed: int = 0,
    resume: str | Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Card:
    """Evaluate, diagnose and cost a classifier, as a card that compares with others.

    The images are attacked by a suite (:func:`nenni.evaluate`), the first of them are asked whether
    that can be believed (:func:`nenni.diagnose`), which repeats no attack, a randomised network is
    tried again and again, and the layers are counted (:func:`nenni.describe` and ``hwmodel``). What
    cannot be had of a network, such as a diagnosis of one that gives labels alone, is said to be
    missing. The same inputs give the same card on processors of one kind.

    Parameters
    ----------
    model : Module
        Any classifier that :func:`nenni.evaluate` takes.
    data : tensors, loader or data set
        Images (N, C, H, W) in [0, 1] and labels (N,), see :data:`nenni.data.batches.Data`.
    suite : str or mapping
        A name of :data:`nenni.adversary.suite_attacks.SUITES`, or attacks as a config has them.
    name : str or None
        What the network is called; by default its architecture or class.
    data_name : str
        What the images are called.
    eps : float
        Radius in units of the [0, 1] input.
    norm : "linf" or "l2"
        What it bounds.
    examples : int or None
        Only the first so many images.
    diagnosed : int
        Images of the diagnosis and the cost, the first so many; 200 or more tell more.
    batch_size : int
        Images that are attacked at once; a loader has its own.
    draws : int
        Passes over which a randomised network's gradients are averaged, and by which the worst
        points are chosen.
    seed : int
        Root of all random choices.
    resume : path or None
        File for the attacks that are done: a call that was killed continues from it.
    progress : callable
        Receives one line per attack, with the time that is left.

    Returns
    -------
    Card
        :func:`nenni.write_card` writes it, with its page.

    Raises
    ------
    UserError
        If model, data and suite do not go together; see :func:`nenni.evaluate`.
    """
    eps, model = radius.check(eps, norm), uncompiled(model)
    for key, value in (("draws", draws), ("diagnosed", diagnosed)):
        check_count(key, value)
    check_repeatable(data)
    device = device_of(model)
    batches = partial(labelled_batches, data, batch_size, device, examples)
    first = diagnosed if examples is None else min(diagnosed, examples)
    few = all_labelled(data, device, first)
    check_data(*few, None)
    images = about_images(batches(), data_name)
    injected, has_noise = any(noisy_layers(model)), without_noise(model) is not None
    asked = _attacks(suite, norm)
    told = _counted(asked, data, batch_size, examples, norm, injected, has_noise, progress)
    progress("counting operations")
    missing: dict[Literal["diagnosis", "cost"], str] = {}
    try:
        costs = _counted_cost(model, few[0], seed)
    except UserError as error:
        costs, missing["cost"] = None, on_a_line(error)
    found = evaluate(
        model, data, suite, eps=eps, norm=norm, examples=examples, batch_size=batch_size,
        draws=draws, seed=seed, resume=resume, progress=told,
    )  # fmt: skip
    try:
        diagnosis = _diagnosed(
            model, few, eps=eps, norm=norm, draws=draws, seed=seed, done=found.done, progress=told
        )
    except UserError as error:
        diagnosis, missing["diagnosis"] = None, on_a_line(error)
    tables = dict(iter(found.examples.groupby("attack", sort=False)))
    scored_on = int(found.examples["draws"].iloc[0])
    network = about_network(model, few[0][:1], randomised=scored_on > 1)
    protocol = Protocol(
        suite=suite if isinstance(suite, str) else _OWN, norm=norm, eps=eps, seed=seed,
        draws=draws, scored_on=scored_on, batch_size=batch_size, diagnosed=len(few[0]),
    )  # fmt: skip
    chosen = draws if network.randomised else 1
    fitting = applicable(asked, injected=injected, randomised=network.randomised, samples=draws)
    summary = found.summary.set_index("attack")
    return Card(
        schema=SCHEMA,
        name=name or architecture_of(model).name or type(model).__name__,
        network=network,
        data=images,
        protocol=protocol,
        clean=_clean(next(iter(tables.values())), scored_on, chosen),
        attacks=[
            _attack(attack, table, asked[attack], fitting[attack], summary.loc[attack],
                    found.notes[attack], protocol, chosen)
            for attack, table in tables.items()
        ],
        least=accuracy(least(tables.values())),
        persistence=_tries(found),
        diagnosis=diagnosis,
        cost=costs,
        missing=missing,
        machine=about_machine(device),
    )  # fmt: skip


def accuracy(shares: "pd.Series[float]") -> Accuracy:
    """The mean of shares in [0, 1], one per image, with its 95 % Wilson interval."""
    low, high = wilson(float(shares.sum()), len(shares))
    return Accuracy(accuracy=float(shares.mean()), low=low, high=high)


def _attacks(suite: Suite, norm: Norm) -> dict[str, AttackChoice]:
    """All attacks that a suite may make, as they are asked for."""
    further = FURTHER.get(suite, {}) if isinstance(suite, str) else {}
    return read_suite(suite, norm) | (read_suite(further, norm) if further else {})


def _counted(
    asked: Mapping[str, AttackChoice],
    data: Data,
    batch_size: int,
    examples: int | None,
    norm: Norm,
    injected: bool,
    has_noise: bool,
    progress: Callable[[str], None],
) -> Callable[[str], None]:
    """Progress that counts the lines that are expected, and says what time is left."""
    batches = count_batches(data, batch_size, examples)
    here = applicable(asked, injected=injected, randomised=False, samples=1)
    again = count_attacks(norm, injected=injected, has_noise=has_noise, made=here)
    left = Left(None if batches is None else batches * (len(here) + 1) + again)
    return lambda line: progress(f"{left.after()} {line}")


def _counted_cost(model: nn.Module, images: Tensor, seed: int) -> Cost:
    return cost.count(describe(copied_or_none(model) or model, images, seed=seed))


def _diagnosed(model: nn.Module, few: tuple[Tensor, Tensor], **asked: Any) -> Diagnosis:
    found = diagnose(model, few, **asked)
    *checks, _ = found.rows.to_dict("records")
    return Diagnosis(
        verdict=found.verdict,
        n=len(few[0]),
        checks=[
            Check(**{**row, "p": None if pd.isna(row["p"]) else float(row["p"])}) for row in checks
        ],
        curves={
            str(curve): [[float(x), float(y)] for x, y in rows[["x", "y"]].to_numpy()]
            for curve, rows in found.curves.groupby("curve", sort=False)
        },
    )


def _clean(table: pd.DataFrame, scored_on: int, chosen: int) -> Clean:
    return Clean(
        **accuracy(table["clean_correct"]).model_dump(),
        correct=written(table["clean_correct"], scored_on),
        chosen=written(table["clean_chosen"], chosen),
    )


def _attack(
    name: str,
    table: pd.DataFrame,
    asked: AttackChoice,
    made: AttackChoice,
    row: "pd.Series[Any]",
    notes: list[str],
    protocol: Protocol,
    chosen: int,
) -> Attack:
    outcomes = {
        f"{which}_{of}": written(table[f"{which}_{of}"], draws)
        for which in ("any", "adv")
        for of, draws in (("correct", protocol.scored_on), ("chosen", chosen))
    }
    parameters = _parameters(asked)
    adapted = {key: v for key, v in _parameters(made).items() if parameters[key] != v}
    return Attack(
        name=name, parameters=parameters, adapted=adapted, eps=protocol.eps,
        worst=accuracy(robust_at_any(table)), returned=accuracy(robust(table)),
        forwards=float(row["forwards"]), backwards=float(row["backwards"]),
        notes=notes, **outcomes,
    )  # fmt: skip


def _parameters(attack: AttackChoice) -> dict[str, Any]:
    """An attack as a config has it, all its defaults filled in."""
    flat = asdict(attack)
    return {"name": flat["name"], **flat["arguments"], "surrogate": flat["surrogate"]}


def _tries(found: SuiteResult) -> list[Tries]:
    rows = found.persistence.to_dict("records")
    return [
        Tries(
            tries=int(row["tries"]), accuracy=float(row["accuracy"]), low=float(row["low"]),
            high=float(row["high"]),
        )
        for row in rows
    ]  # fmt: skip
