"""Which tables of a run its page shows, in which order, and the sentence that explains each."""

from collections.abc import Callable, Mapping
from functools import partial

import pandas as pd

from nenni.results.page import frames
from nenni.results.page.tables import Table, table

Tables = Mapping[str, pd.DataFrame]

Shown = tuple[str, str, Callable[[pd.DataFrame], pd.DataFrame]]
"""Title and sentence of a table, and what is shown of the run's."""

_ACCURACY: dict[str, Shown] = {
    "main": (
        "Accuracy and cost of every network",
        "Accuracy is the share of test images that are classified correctly, without an attack "
        "(clean) and under each attack within the radius, the largest change of a pixel (L∞) or of "
        "the image (L2); 'any' counts the worst point that the attack tried. In brackets are 95 % "
        "intervals. BitOPs and modelled time are changes against the network without a defence: "
        "with a plus sign it costs more.",
        frames.main,
    ),
    "comparison": (
        "The comparison, with all costs",
        "Every network with what is left under all attacks of its largest suite, and its costs as "
        "ratios to the network without a defence, overheads counted: as evaluated against FP32, "
        "and both in INT8. Time and energy are modelled.",
        frames.comparison,
    ),
    "controls": (
        "Methods less their controls",
        "What stands in for a part of the method, as a random selection does for that of the "
        "largest outputs, on the same images: the method's accuracy less the control's, with its "
        "95 % interval. Where that holds 0, nothing is shown.",
        frames.controls,
    ),
    "claims": (
        "The paper's claims in full",
        "What the paper claims, what this run measured, and what follows from it.",
        frames.claims,
    ),
    "suites": (
        "Every attack of the suites",
        "A suite is several attacks on the same images; 'all attacks' counts an image only where "
        "it stays right under every one of them: what the network withstands is at most that.",
        frames.suites,
    ),
    "persistence": (
        "A persistent attacker",
        "What is left of a network that draws at random, where the attacker may try again.",
        frames.suites,
    ),
    "paired": (
        "Each defence less a control",
        "The difference in accuracy on the same images, as the mean of all seeds with its 95 % "
        "interval: where that holds 0, nothing is shown.",
        partial(frames.pooled, value="difference"),
    ),
    "accuracy": (
        "Accuracy under each evaluation",
        "An evaluation is an attack with its settings, one radius a row; the mean of all seeds "
        "with its 95 % interval, and each seed's own.",
        partial(frames.pooled, value="accuracy"),
    ),
    "fit": (
        "How good the approximation is",
        "For each layer, before any training: how far the cheap outputs are from the exact ones, "
        "and how many of the truly largest the selection finds; mean of the seeds.",
        partial(frames.mean_over_seeds, keys=("base", "defence", "layer")),
    ),
    "sweep": (
        "Noise turned up and down",
        "One network after its training, with other shares of exact outputs and other sizes of "
        "the projection, and no training after it.",
        frames.at_radius,
    ),
}
_COST: dict[str, Shown] = {
    "latency": (
        "Modelled time per layer",
        "By a roofline, the larger of what computing and what moving data takes on a platform: "
        "a model, not a measurement.",
        frames.latency,
    ),
    "energy": (
        "Modelled energy per layer",
        "What every operation and every moved byte takes on a platform, in nanojoules, with exact "
        "outputs in so many bits: a model, not a measurement.",
        frames.energy,
    ),
}
_VERDICTS = (
    "verdicts",
    "Is it worth building?",
    "The method and what else could be done with the same network, modelled against the plain "
    "network in INT8: in brackets the range over constants of the platform and the technology that "
    "are assumed, and the one that by itself turns a gain into a loss or the reverse. Accuracy on "
    "images that nobody changed, where this run has it at those bits.",
)
_BITOPS = (
    "reductions",
    "BitOPs per layer",
    "Multiplications, weighted by the bits of both factors, in millions per image. Exact outputs "
    "are what the essential neurons take; the approximation and the other terms are what finding "
    "and replacing the others takes. The changes count all of it, against the plain layer.",
)
_DIAGNOSTICS = (
    "diagnostics",
    "All checks",
    "Each check counts what speaks against a network: where the value is larger than the "
    "threshold, and that is no chance, it fails.",
)
DRAWN = {
    "histories": "Loss and validation accuracy of each base, epoch by epoch.",
    "errors": "Distribution of the approximation's error per layer.",
    "operations": "Operations and BitOPs per layer and term.",
    "crossovers": "Share of exact outputs up to which each layer wins on a platform.",
    "speedups": "Modelled speed-up against the share of exact outputs.",
    "rooflines": "Rates and intensities of each product on a platform.",
    "traffic": "Bytes that each phase moves on a platform.",
    "diagnostic_curves": "Accuracy against the radius and the steps, and the margin along a run.",
    "sensitivities": "How much each layer suffers from noise.",
}
"""Tables that a page leaves to the figures -> what they hold."""


def accuracy_tables(tables: Tables) -> list[Table]:
    """Those about accuracy, of what the run made and what has rows."""
    return _shown(tables, _ACCURACY)


def cost_tables(tables: Tables) -> list[Table]:
    """Those about cost per layer."""
    found = _shown(tables, _COST)
    if {"operations", "reductions"} <= set(tables):
        frame = frames.bitops(tables["operations"], tables["reductions"])
        found.insert(0, table(frame, *_BITOPS))
    if "verdicts" in tables:
        frame = frames.verdicts(tables["verdicts"], tables.get("main"))
        found.insert(0, table(frame, *_VERDICTS))
    return found


def diagnostic_table(diagnostics: pd.DataFrame) -> Table:
    """Every check of every network."""
    return table(diagnostics.rename(columns={"name": "check"}), *_DIAGNOSTICS)


def _shown(tables: Tables, of: dict[str, Shown]) -> list[Table]:
    return [
        table(made(tables[name]), name, title, sentence)
        for name, (title, sentence, made) in of.items()
        if name in tables and len(tables[name])
    ]
