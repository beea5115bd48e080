"""Tables as LaTeX."""

from collections.abc import Iterable

import pandas as pd


def latex(shown: pd.DataFrame, legend: Iterable[str]) -> str:
    """A table for the eye as LaTeX, for ``booktabs``: three columns of words, then numbers."""
    escape = {"_": r"\_", "%": r"\%"}
    cells = [list(shown.columns), *shown.to_numpy().tolist()]
    lines = [
        " & ".join("".join(escape.get(c, c) for c in str(cell)) for cell in row) + r" \\"
        for row in cells
    ]
    return "\n".join(
        [
            *(f"% {line}" for line in legend),
            r"\begin{tabular}{" + "l" * 3 + "r" * (shown.shape[1] - 3) + "}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )
