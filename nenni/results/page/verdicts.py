"""The verdicts on the paper's claims, for the first screen of a page."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from nenni.results.verdict import DIRECTION, NOT_REPRODUCED, REPRODUCED, VERDICTS

Sign = Literal["good", "partly", "bad", "open"]
_SIGNS: dict[str, Sign] = {REPRODUCED: "good", DIRECTION: "partly", NOT_REPRODUCED: "bad"}


@dataclass(frozen=True)
class Verdict:
    """A verdict on one row of the claims.

    Attributes
    ----------
    sign : "good", "partly", "bad" or "open"
        How it is marked.
    verdict, claim, against, reason : str
        What is said of which claim, what it is compared with, and why.
    """

    sign: Sign
    verdict: str
    claim: str
    against: str
    reason: str


def verdicts(claims: pd.DataFrame) -> list[Verdict]:
    """All of them, what the run decided first, and else in the order of the table.

    The table has ``verdict``, and of the other columns those that are shown where it has them.
    """
    rows = claims.astype(object).where(claims.notna(), "").to_dict("records")
    found = [
        Verdict(
            _SIGNS.get(row["verdict"], "open"),
            str(row["verdict"]),
            str(row.get("text", row.get("claim", ""))),
            str(row.get("against", row.get("comparator", ""))),
            str(row.get("reason", "")),
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: _place(one.verdict))


def counted(found: list[Verdict]) -> list[tuple[Sign, str, int]]:
    """How many there are of each verdict, in the order of :func:`verdicts`."""
    counts = Counter((verdict.sign, verdict.verdict) for verdict in found)
    return [(sign, verdict, n) for (sign, verdict), n in counts.items()]


def _place(verdict: str) -> int:
    return VERDICTS.index(verdict) if verdict in VERDICTS else len(VERDICTS)
