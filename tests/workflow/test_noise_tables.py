"""Settings of a sweep are told with the intervals of their images."""

import pandas as pd
from scripts import script_named

from nenni.evaluation.statistics import wilson


def test_each_setting_has_a_row_with_its_intervals() -> None:
    sweep = pd.DataFrame(
        {
            "ratio": [0.125, 0.5], "fraction": [0.125, 1], "relative_error": [0.421, 0.1],
            "clean": [0.3, 1.0], "robust": [0.0, 0.5], "n": [10, 40], "attack": "pgd_20",
            "norm": "linf", "eps": [8 / 255, 8 / 255],
        }
    )  # fmt: skip
    table = script_named("_noise_tables").swept(sweep)
    assert list(table) == [
        "k/d",
        "exact neurons",
        "relative error of z~",
        "clean",
        "pgd_20, eps 8/255",
    ]
    first, second = table.to_numpy().tolist()
    assert first[:3] == ["0.125", "12.5 %", "0.42"]
    low, high = (f"{100 * share:.0f} %" for share in wilson(3, 10))
    assert first[3] == f"30 % ({low} to {high})"
    low, high = (f"{100 * share:.0f} %" for share in wilson(20, 40))
    assert second[-1] == f"50 % ({low} to {high})"
