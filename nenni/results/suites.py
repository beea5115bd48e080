"""Suites of attacks over the seeds of a run: each seed, and all of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from nenni.core.types import Norm
from nenni.evaluation import persistence as tries
from nenni.evaluation import suite_result
from nenni.evaluation.scoring import least
from nenni.results.accuracy import ONE_SEED, over_seeds

_WHICH = ["base", "defence", "seed", "suite"]
_SPREAD = ["seeds", "deviation", "values", "interval"]
SUITE_COLUMNS = [*_WHICH, *suite_result.COLUMNS, *_SPREAD]
TRIES_COLUMNS = [*_WHICH, "norm", *tries.COLUMNS, *_SPREAD]
Group = tuple[str, str, str, Norm]
"""Base, defence, suite and norm, of which the least over attacks is taken."""


@dataclass
class Attacked:
    """What a suite's attacks of one norm found on one network.

    Attributes
    ----------
    tables
        Attack -> examples at one eps.
    notes
        Attack -> what should be known.
    """

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)


def suites_table(groups: Mapping[Group, Mapping[int, Attacked]]) -> pd.DataFrame:
    """Accuracy under each attack and under all of them per image, per seed and over all seeds.

    Parameters
    ----------
    groups : mapping
        What each seed's network was attacked by.

    Returns
    -------
    DataFrame
        Rows of :func:`nenni.evaluation.suite_result.summary` for each seed and, with an interval
        over seeds and images, for all (``seed`` "all").
    """
    rows: list[dict[str, Any]] = []
    for (base, defence, suite, norm), seeds in groups.items():
        which = {"base": base, "defence": defence, "suite": suite}
        for seed, attacked in seeds.items():
            found = suite_result.summary(attacked.tables, attacked.notes, norm)
            one = which | {"seed": str(seed), "seeds": 1, "interval": ONE_SEED}
            rows += [row | one for row in found.to_dict("records")]
        rows += [row | which | {"norm": norm} for row in _over_seeds(seeds)]
    return pd.DataFrame(rows, columns=SUITE_COLUMNS)


def _over_seeds(seeds: Mapping[int, Attacked]) -> Iterator[dict[str, Any]]:
    each = [[*suite_result.parts(attacked.tables)] for attacked in seeds.values()]
    for parts in zip(*each, strict=True):
        first = parts[0]
        notes = [note for a in seeds.values() for note in a.notes.get(first.attack, [])]
        yield {
            "attack": first.attack, "eps": first.eps,
            **over_seeds(seeds, np.stack([part.share.to_numpy(dtype=float) for part in parts])),
            "any_iterate": np.mean([part.at_any.mean() for part in parts]),
            "forwards": np.mean([part.forwards for part in parts]),
            "backwards": np.mean([part.backwards for part in parts]),
            "notes": "; ".join(dict.fromkeys(notes)),
        }  # fmt: skip


def tries_table(groups: Mapping[Group, Mapping[int, Attacked]]) -> pd.DataFrame:
    """What is left of randomised networks where the attacker may try several times.

    Returns
    -------
    DataFrame
        Rows of :func:`nenni.evaluation.persistence.persistence` for each seed and for all, as of
        :func:`suites_table`; those of the attacks on most images.
    """
    rows: list[dict[str, Any]] = []
    for (base, defence, suite, norm), seeds in groups.items():
        which = {"base": base, "defence": defence, "suite": suite, "norm": norm}
        shares = {seed: _worst(attacked.tables) for seed, attacked in seeds.items()}
        for seed, (share, draws) in shares.items():
            one = which | {"seed": str(seed), "seeds": 1, "interval": ONE_SEED}
            rows += [row | one for row in tries.persistence(share, draws).to_dict("records")]
        held = [tries.held_for(share, draws) for share, draws in shares.values()]
        rows += [
            which | {"tries": count} | over_seeds(seeds, np.stack([of[count] for of in held]))
            for count in held[0]
        ]
    return pd.DataFrame(rows, columns=TRIES_COLUMNS)


def _worst(tables: Mapping[str, pd.DataFrame]) -> tuple["pd.Series[float]", int]:
    """Shares of draws at the worst point, and draws; of a deterministic network no shares."""
    draws = max(int(table["draws"].max()) for table in tables.values())
    whole = max(len(table) for table in tables.values())
    shares = least(table for table in tables.values() if len(table) == whole)
    return (shares if draws > 1 else shares[:0]), draws
