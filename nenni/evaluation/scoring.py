"""The scoring rule that every accuracy under attack follows, and the rows that sum up."""

import pandas as pd

WORST = "all attacks"
"""Row of a suite: the least over its attacks per image."""
ALL_CHECKS = "all checks"
"""Row of the diagnostics: how many checks failed."""


def robust(examples: pd.DataFrame) -> "pd.Series[float]":
    """Share of draws on which each example is robust: an image misclassified clean is not.

    Parameters
    ----------
    examples : DataFrame
        From :func:`nenni.evaluation.attack_images.attack_images`.
    """
    return examples[["clean_correct", "adv_correct"]].min(axis=1)
