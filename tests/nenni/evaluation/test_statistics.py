import math

import numpy as np
import pandas as pd
import pytest

from nenni.evaluation.statistics import bootstrap_weights, clustered_interval, mcnemar, wilson
from nenni.results.accuracy import ALL, accuracy_table, flags_of, paired_table


def test_wilson_closed_form() -> None:
    k, n, z = 83, 100, 1.959963984540054
    p = k / n
    centre = (p + z * z / 2 / n) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    assert wilson(k, n) == pytest.approx((centre - half, centre + half))
    assert wilson(0, 50)[0] == 0


def test_mcnemar_by_hand() -> None:
    """5 against 1 discordant pairs: p = 2 (C(6,0) + C(6,1)) / 2^6."""
    a = np.array([1] * 5 + [0] + [1] * 10 + [0] * 3, dtype=float)
    b = np.array([0] * 5 + [1] + [1] * 10 + [0] * 3, dtype=float)
    assert mcnemar(a, b) == pytest.approx(2 * (1 + 6) / 64)
    assert mcnemar(a, a) == 1


def test_clustered_interval_does_not_shrink_with_copies_of_a_seed() -> None:
    rng = np.random.default_rng(0)
    flags = (rng.random((1, 400)) < 0.7).astype(float)
    weights = bootstrap_weights(400, 3000, rng)
    assert weights.sum(1) == pytest.approx(1)
    one = clustered_interval(flags, weights)
    assert clustered_interval(np.repeat(flags, 5, 0), weights) == pytest.approx(one)
    half = 1.96 * math.sqrt(flags.mean() * (1 - flags.mean()) / 400)
    assert one[1] - one[0] == pytest.approx(2 * half, rel=0.1)


def examples(clean: list[int], robust: list[int]) -> pd.DataFrame:
    n = len(clean)
    return pd.DataFrame(
        {"eps": [8.0] * n, "index": range(n), "clean_correct": clean, "adv_correct": robust}
    )


def test_a_misclassified_image_is_not_robust() -> None:
    flags = flags_of("pgd", examples([1, 1, 0, 0], [1, 0, 1, 0]))
    assert flags["pgd", 0.0].tolist() == [1, 1, 0, 0]
    assert flags["pgd", 8.0].tolist() == [1, 0, 0, 0]


def test_tables() -> None:
    flags = {
        ("b", "none", 0): flags_of("pgd", examples([1, 1, 1, 1], [1, 0, 0, 0])),
        ("b", "none", 1): flags_of("pgd", examples([1, 1, 1, 0], [1, 1, 0, 0])),
        ("b", "noisy", 0): flags_of("pgd", examples([1, 1, 1, 1], [1, 1, 1, 0])),
        ("b", "noisy", 1): flags_of("pgd", examples([1, 1, 1, 1], [1, 1, 1, 1])),
    }
    table = accuracy_table(flags, 200).set_index(["defence", "eps", "seed"])
    assert table.loc[("none", 8.0, "0"), "accuracy"] == 0.25
    pooled = table.loc[("none", 8.0, ALL)]
    assert pooled["accuracy"] == 0.375
    assert pooled["deviation"] == pytest.approx(np.std([0.25, 0.5], ddof=1))
    assert pooled["low"] <= 0.375 <= pooled["high"]
    paired = paired_table(flags, ["none", "absent"], 200).set_index(["defence", "eps", "seed"])
    assert set(paired.index.get_level_values(0)) == {"noisy"}
    assert paired.loc[("noisy", 8.0, "0"), "difference"] == 0.5
    assert paired.loc[("noisy", 8.0, ALL), "difference"] == 0.5
    assert paired.loc[("noisy", 0.0, ALL), "difference"] == 0.125


def test_a_file_cut_short_is_noticed() -> None:
    whole = pd.concat([examples([1, 1], [1, 0]), examples([1, 1], [0, 0]).assign(eps=9.0)])
    with pytest.raises(ValueError, match="missing"):
        flags_of("pgd", whole.iloc[:-1])


def test_nothing_to_compare_still_has_columns() -> None:
    flags = {("b", "none", 0): flags_of("pgd", examples([1], [1]))}
    assert list(paired_table(flags, [], 10).columns)[:3] == ["base", "defence", "control"]
