"""Which conventions give the figures of BitOPs that are claimed, and which cannot.

    python workflow/scripts/bitops_claims.py

Writes results/reference/bitops_claims.csv. For each figure of config/claims.yaml, on the networks
that its text names: bits of the exact path, the dense network that is compared with, bits of the
approximation, the ratio k/d, overheads counted or not. A reduction is linear in the share of exact
neurons, so there is one share that gives the figure, or none (``share``); beside it the reductions
at the shares that the texts name, and which of these gives it (``gives``), within half a per cent.
``limit_10`` and so on are what would be saved at most at such a share, were all but the exact
neurons free: a figure above it cannot come out.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from saving import shapes, totals

import hwmodel
from nenni.core.io import write_csv
from nenni.run.config_file import load_claims

ROOT = Path(__file__).parents[2]
CLAIMS = ROOT / "config" / "claims.yaml"
TABLE = ROOT / "results" / "reference" / "bitops_claims.csv"
NETWORKS = {
    "resnet18": ({"name": "resnet18"}, [3, 32, 32], 10),
    "wide_resnet": ({"name": "wide_resnet"}, [3, 32, 32], 10),
    "resnet50": ({"name": "torchvision", "model": "resnet50"}, [3, 224, 224], 1000),
}
"""Architecture of a claim -> model, shape of an input, classes."""
SHARES = (0.1, 0.2, 0.5)
"""Of exact neurons, that the texts name: 10 and 50 %, and noise into 80 and 90 %."""
EXACT_BITS, BITS, RATIOS = (32, 16, 8), (4, 8), (1 / 16, 1 / 8, 1 / 4, 1 / 2)
SINGLE = hwmodel.read_granularity("1x1")
_NEAR = 0.005


def main() -> None:
    """Count, and write the table."""
    write_csv(TABLE, pd.DataFrame(rows()))


def rows() -> Iterator[dict[str, Any]]:
    """All rows of the table."""
    for name, claim in load_claims(CLAIMS).claims.items():
        if claim.measure == "bitops_reduction":
            assert isinstance(claim.value, float)
            for architecture in claim.architectures or ():
                plain = shapes(*NETWORKS[architecture])
                for row in conventions(plain, claim.value):
                    about = {"claim": name, "claimed": claim.value, "network": architecture}
                    yield about | row


def conventions(plain: hwmodel.Network, claimed: float) -> Iterator[dict[str, Any]]:
    """What a figure asks for under each convention, and what else it would be.

    Parameters
    ----------
    plain : Network
        Without injection.
    claimed : float
        Share of the BitOPs that is saved.
    """
    for bits, ratio, exact_bits in product(BITS, RATIOS, EXACT_BITS):
        ends = [_saved(plain, ratio, bits, exact_bits, share) for share in (0.25, 0.75)]
        for baseline, overheads in product(ends[0], (True, False)):
            first, second = (_of(end[baseline], overheads) for end in ends)
            slope = (second - first) / 0.5
            at = {share: first + slope * (share - 0.25) for share in SHARES}
            needed = 0.25 + (claimed - first) / slope
            dense = totals(plain, exact_bits, "product")[baseline]
            per_share = dense.bitops_with / dense.dense_bitops
            gives = [f"{share:.0%}" for share in SHARES if abs(at[share] - claimed) <= _NEAR]
            yield {
                "exact_bits": exact_bits, "baseline": baseline, "approximation_bits": bits,
                "ratio": ratio, "overheads": "counted" if overheads else "left out",
                "share": needed if 0 <= needed <= 1 else None,
                **{f"at_{100 * share:.0f}": value for share, value in at.items()},
                **{f"limit_{100 * share:.0f}": 1 - share * per_share for share in SHARES},
                "gives": ", ".join(gives),
            }  # fmt: skip


def _saved(
    plain: hwmodel.Network, ratio: float, bits: int, exact_bits: int, share: float
) -> dict[str, hwmodel.Reduction]:
    """Reductions by baseline with a sparse ternary P."""
    injected = hwmodel.injected(
        plain, projection="ternary", ratio=ratio, fraction=share, bits=bits, granularity=SINGLE
    )
    return totals(injected, exact_bits, "product")


def _of(found: hwmodel.Reduction, overheads: bool) -> float:
    return found.reduction_with if overheads else found.reduction_without


if __name__ == "__main__":
    main()
