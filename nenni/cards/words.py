"""What a card says in words: radii, shares, numbers of operations and changes.

A no-break space keeps a number and its unit on one line.
"""

from nenni.cards.schema import Accuracy, Card
from nenni.cards.schema_cost import BitOps, Cost, Time
from nenni.core import radius
from nenni.core.types import Norm
from nenni.evaluation.diagnose import MASKED, TRUSTWORTHY, WEAK
from nenni.results.page.trade_off import NORMS

_BELIEF = (
    (TRUSTWORTHY, "good", "nothing found against it"),
    (WEAK, "partly", "only the least over all attacks"),
    (MASKED, "bad", "no"),
)
"""How a verdict begins, how it is marked, and the words of the mark."""
_MANY = 200
"""Per cent more, from which on people say how many times as much."""
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def radius_of(card: Card) -> str:
    """The radius of a card with its norm: ``L∞ 8/255``."""
    norm: Norm = card.protocol.norm
    return f"{NORMS[norm]} {radius.shown(card.protocol.eps, norm)}"


def percent(share: float) -> str:
    """A share: ``46.7 %``."""
    return f"{100 * share:.1f}\u00a0%"


def interval(found: Accuracy) -> str:
    """The interval of an accuracy: ``34.6 to 59.1 %``."""
    return f"{100 * found.low:.1f}\u00a0to\u00a0{100 * found.high:.1f}\u00a0%"


def with_interval(found: Accuracy) -> str:
    """An accuracy: ``46.7 % (34.6 to 59.1 %)``."""
    return f"{percent(found.accuracy)} ({interval(found)})"


def cost(card: Card) -> str:
    """What a network costs, in a line."""
    if card.cost is None:
        return f"not counted: {card.missing.get('cost', '')}"
    fp32 = against(card.cost, "fp32")
    bitops = large(fp32.with_overheads, "BitOPs")
    return f"{bitops} an image, against dense FP32: {change(fp32.with_overheads, fp32.dense)}"


def large(number: float, unit: str) -> str:
    """A number of operations: ``41.5 GBitOPs``."""
    for factor, prefix in _PREFIXES:
        if number >= factor:
            return f"{number / factor:.3g}\u00a0{prefix}{unit}"
    return f"{number:.3g}\u00a0{unit}"


def change(new: float, old: float) -> str:
    """By how much a number is larger or smaller: ``-47.2 %``, ``8.4 times``; or ``the same``."""
    by = 100 * (new / old - 1)
    if by >= _MANY:
        return f"{new / old:.1f}\u00a0times"
    return "the same" if abs(by) < 0.05 else f"{by:+.1f}\u00a0%"


def against(cost: Cost, baseline: str) -> BitOps:
    """The BitOPs at the bits that were evaluated, against a dense baseline."""
    return next(
        row for row in cost.bitops if (row.baseline, row.variant) == (baseline, "as_evaluated")
    )


def timed(cost: Cost) -> list[Time]:
    """The platforms on which the network can be modelled at the bits that were evaluated."""
    return [row for row in cost.times if row.network is not None and row.dense_fp32 is not None]


def belief(card: Card) -> tuple[str, str, str]:
    """How a card's accuracies are marked, the words of the mark, and the verdict's sentence."""
    found = card.diagnosis
    if found is None:
        return "open", "not diagnosed", card.missing.get("diagnosis", "")
    for words, sign, mark in _BELIEF:
        if found.verdict.startswith(words):
            return sign, mark, found.verdict
    return "open", "undecided", found.verdict
