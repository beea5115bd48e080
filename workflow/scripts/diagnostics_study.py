"""How often the diagnostics are right: 20 honest and 20 masked networks, with few images and more.

    python workflow/scripts/diagnostics_study.py

Trains the networks of _zoo.py, in minutes, and judges each with 60, 100 and 200 images that it was
not trained on. For a masked network stands beside the least of the suite ``standard`` that of the
same network without its mask, with the 95 % interval of their difference on the same images. Each
network goes on where the call was stopped; ``--part 0/2`` and ``--part 1/2`` share the work.
"""

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _zoo import EPS, HONEST, MASKED, Known, held_out
from torch import nn

import nenni
from nenni.core import runtime
from nenni.core.io import read_csv, write_csv
from nenni.evaluation.diagnose import MASKED as NOT_BELIEVED
from nenni.evaluation.diagnose import TRUSTWORTHY, UNDECIDED, WEAK

IMAGES = (60, 100, 200)
_WORDS = {TRUSTWORTHY: "trustworthy", NOT_BELIEVED: "masked", WEAK: "weak", UNDECIDED: "undecided"}


def known(name: str) -> Known:
    """A network of the zoo by its name; an honest one is its own reference."""
    if name in MASKED:
        return MASKED[name]()
    network = HONEST[name]()
    return Known(network, network)


def said(verdict: str) -> str:
    """A verdict in a word."""
    return next(word for start, word in _WORDS.items() if verdict.startswith(start))


def flags(network: nn.Module, n: int, **options: Any) -> tuple[Any, Any]:
    """Robust or not under the suite, per image, and the whole result."""
    found = nenni.evaluate(network, held_out(n), eps=EPS, **options)
    return found.robust.to_numpy(), found


def study(name: str, n: int) -> dict[str, Any]:
    """One row: a network, judged by so many images."""
    found = known(name)
    diagnosis = nenni.diagnose(found.network.eval(), held_out(n), eps=EPS)
    own, result = flags(found.network, n, done=diagnosis.done)
    honest = own if found.reference is found.network else flags(
        found.reference.eval(), n, least_only=True
    )[0]  # fmt: skip
    draws = np.random.default_rng(n).multinomial(n, np.full(n, 1 / n), size=2000)
    means = draws @ (own - honest) / n
    low, high = np.quantile(means, [0.025, 0.975])
    pgd = result.summary.set_index("attack").loc["pgd_20", "accuracy"]
    return {
        "network": name, "kind": "masked" if name in MASKED else "honest", "n": n, "eps": EPS,
        "verdict": said(diagnosis.verdict), "pgd_20": pgd, "standard": own.mean(),
        "reference": honest.mean(), "hidden": (own - honest).mean(), "low": low, "high": high,
        "why": diagnosis.verdict.partition(": ")[2],
    }  # fmt: skip


def main() -> None:
    """Parse the command line, and add a row after another to the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", default="0/1", help="which share of the networks, as 0/2")
    parser.add_argument("--out", type=Path, default=Path("results/reference/diagnostics.csv"))
    arguments = parser.parse_args()
    runtime.prepare({"threads": 1, "device": "cpu"})
    warnings.simplefilter("ignore")
    which, of = (int(number) for number in arguments.part.split("/"))
    done = read_csv(arguments.out) if arguments.out.exists() else pd.DataFrame()
    rows = done.to_dict("records")
    judged = {(row["network"], row["n"]) for row in rows}
    for n in IMAGES:
        for name in [*HONEST, *MASKED][which::of]:
            if (name, n) in judged:
                continue
            rows.append(study(name, n))
            write_csv(arguments.out, pd.DataFrame(rows))
            kept = ("network", "n", "verdict", "standard", "reference")
            print(*(rows[-1][key] for key in kept), flush=True)


if __name__ == "__main__":
    main()
