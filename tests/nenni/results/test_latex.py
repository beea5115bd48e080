"""Tables as LaTeX."""

import pandas as pd

from nenni.results.latex import latex


def test_words_and_numbers_are_columns_and_marks_of_latex_are_escaped() -> None:
    shown = pd.DataFrame(
        {"base": ["at", "at"], "defence": ["none", "topk_50"], "eps": ["8/255"] * 2, "clean": ["9.1%"] * 2}
    )  # fmt: skip
    tex = latex(shown, ["What it is."])
    assert tex.startswith("% What it is.\n\\begin{tabular}{lllr}\n")
    assert r"at & topk\_50 & 8/255 & 9.1\% \\" in tex
    assert tex.count(r" \\") == 3
