import numpy as np
import pandas as pd
import pytest

from nenni.results.accuracy import ALL, accuracy_table, flags_of, paired_table


def examples(clean: list[int], robust: list[int]) -> pd.DataFrame:
    n = len(clean)
    flags = {"clean_correct": clean, "adv_correct": robust}
    flags |= {"clean_chosen": clean, "adv_chosen": robust}
    flags |= {"any_correct": robust, "any_chosen": robust}
    return pd.DataFrame({"eps": [8.0] * n, "index": range(n), **flags})


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
    table = accuracy_table(flags, 200).set_index(["defence", "evaluation", "eps", "seed"])
    assert table.loc[("none", "pgd", 8.0, "0"), "accuracy"] == 0.25
    pooled = table.loc[("none", "pgd", 8.0, ALL)]
    assert pooled["accuracy"] == 0.375
    assert pooled["deviation"] == pytest.approx(np.std([0.25, 0.5], ddof=1))
    assert pooled["low"] <= 0.375 <= pooled["high"]
    paired = paired_table(flags, ["none", "absent"], 200)
    assert set(paired["evaluation"]) == {"pgd", "pgd any"}
    paired = paired[paired["evaluation"] == "pgd"].set_index(["defence", "eps", "seed"])
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
