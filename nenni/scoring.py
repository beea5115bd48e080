"""The scoring rule that every accuracy under attack follows."""

import pandas as pd


def robust(examples: pd.DataFrame) -> "pd.Series[float]":
    """Share of draws on which each example is robust: an image misclassified clean is not.

    Parameters
    ----------
    examples : DataFrame
        From :func:`nenni.evaluation.evaluate`.
    """
    return examples[["clean_correct", "adv_correct"]].min(axis=1)
