"""What a suite found: from examples to accuracies."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd

from nenni.core.types import Norm
from nenni.evaluation.done import Done
from nenni.evaluation.scoring import WORST, least, robust, robust_at_any
from nenni.evaluation.statistics import wilson

CLEAN = "clean"
COLUMNS = [
    "attack", "norm", "eps", "n", "accuracy", "low", "high", "any_iterate", "forwards",
    "backwards", "notes",
]  # fmt: skip


@dataclass(frozen=True)
class SuiteResult:
    """What a suite found.

    Attributes
    ----------
    summary : DataFrame
        One row for the clean images, one per attack, one for the least over all attacks per
        example: ``attack``, ``norm``, ``eps``, ``n``, ``accuracy`` under the images that the attack
        returned, with a 95 % Wilson interval ``low``, ``high``, ``any_iterate``, the accuracy
        under the worst point that it tried, ``forwards`` and ``backwards``, mean passes per image,
        and ``notes``. An attack that got only what those before it had left counts the rest as
        broken.
    examples : DataFrame
        One row per attack and image: see :func:`nenni.evaluation.attack_images.attack_batch`.
    persistence : DataFrame
        Of a randomised network, accuracy where the attacker may try ``tries`` times, see
        :func:`nenni.evaluation.persistence.persistence`; of another, empty.
    done : Done
        The attacks that were made on all images, for :func:`nenni.diagnose`.
    notes : dict
        Attack -> what should be known of it, one by one.
    """

    summary: pd.DataFrame
    examples: pd.DataFrame
    persistence: pd.DataFrame
    done: Done = field(default_factory=Done)
    notes: dict[str, list[str]] = field(default_factory=dict)

    @property
    def robust(self) -> "pd.Series[float]":
        """Of each image, the least share of draws on which it is classified correctly."""
        return least(table for _, table in self.examples.groupby("attack", sort=False))

    @property
    def robust_accuracy(self) -> float:
        """Share of images that are classified correctly under every attack."""
        return float(self.summary.loc[self.summary["attack"] == WORST, "accuracy"].min())


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
    rows = []
    for part in parts(tables):
        low, high = wilson(part.share.sum(), len(part.share))
        rows.append(
            {
                "attack": part.attack, "eps": part.eps, "n": len(part.share),
                "accuracy": part.share.mean(), "low": low, "high": high,
                "any_iterate": part.at_any.mean(), "forwards": part.forwards,
                "backwards": part.backwards, "notes": "; ".join(notes.get(part.attack, [])),
            }
        )  # fmt: skip
    return pd.DataFrame(rows).assign(norm=norm)[COLUMNS]


@dataclass(frozen=True)
class Part:
    """What a row of a summary is made of.

    Attributes
    ----------
    attack, eps
        ``clean`` at 0, an attack, or all of them.
    share, at_any
        Of each image, the share of draws that are classified correctly, at what the attack returned
        and at the worst point that it tried.
    forwards, backwards
        Mean passes per image.
    """

    attack: str
    eps: float
    share: "pd.Series[float]"
    at_any: "pd.Series[float]"
    forwards: float = 0.0
    backwards: float = 0.0


def parts(tables: Mapping[str, pd.DataFrame]) -> Iterator[Part]:
    """Clean images, each attack, and all attacks on each number of images; see :func:`summary`."""
    sizes = sorted({len(table) for table in tables.values()}, reverse=True)
    most = next(table for table in tables.values() if len(table) == sizes[0])
    eps = float(most["eps"].iloc[0])
    clean = most["clean_correct"]
    yield Part(CLEAN, 0.0, clean, clean)
    for name, table in tables.items():
        passes = (float(table[way].mean()) for way in ("forwards", "backwards"))
        yield Part(name, eps, robust(table), robust_at_any(table), *passes)
    for n in sizes:
        shared = [table.iloc[:n] for table in tables.values() if len(table) >= n]
        passes = (float(sum(t[w].mean() for t in shared)) for w in ("forwards", "backwards"))
        share = least(shared)
        yield Part(WORST, eps, share, share, *passes)
