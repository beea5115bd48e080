import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nenni.core.errors import UserError
from nenni.method.allocation import allocate, rises_at


def table(rises: dict[str, list[float]]) -> pd.DataFrame:
    """Rises at fractions 0, 0.5 with noise 0.2: linear in the noise, 0 at fraction 1."""
    return pd.DataFrame(
        [
            {"layer": name, "fraction": f, "noise": 0.2, "rise": rise}
            for name, values in rises.items()
            for f, rise in zip((0.0, 0.5), values, strict=True)
        ]
    )


def test_budget_goes_to_the_sensitive_layer() -> None:
    rises = rises_at(table({"a": [10, 5], "b": [0.1, 0.05]}), {"a": 0.2, "b": 0.2})
    found = allocate(rises, {"a": 1, "b": 1}, 0.5).set_index("layer")
    assert found["fraction"].to_dict() == {"a": 1.0, "b": 0.0}
    assert found["predicted_rise"].to_dict() == pytest.approx({"a": 0, "b": 0.1})


def test_rise_is_read_at_the_relative_error() -> None:
    found = allocate(rises_at(table({"a": [10, 5]}), {"a": 0.05}), {"a": 1}, 0.5)
    assert found["predicted_rise"].tolist() == pytest.approx([5 * 0.25])


def test_no_fraction_beyond_the_measured_is_taken() -> None:
    rises = pd.DataFrame(
        [("a", 0.25, 1.0), ("a", 0.75, -1.0), ("b", 0.25, 0.1), ("b", 0.75, -0.1)],
        columns=["layer", "fraction", "rise"],
    )
    found = allocate(rises, {"a": 1, "b": 1}, 0.5).set_index("layer")
    assert found["fraction"].to_dict() == {"a": 0.75, "b": 0.25}
    with pytest.raises(UserError, match="no fractions among those that were measured cost"):
        allocate(rises, {"a": 1, "b": 1}, 0.2)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5)), min_size=3, max_size=3),
    st.lists(st.integers(1, 50), min_size=3, max_size=3),
    st.sampled_from([0.0, 0.25, 0.4, 0.5, 0.9, 1.0]),
)
def test_no_choice_within_the_budget_is_better(
    rises: list[tuple[float, float]], macs: list[int], budget: float
) -> None:
    names = ["a", "b", "c"]
    costs = dict(zip(names, macs, strict=True))
    profile = table(dict(zip(names, map(list, rises), strict=True)))
    found = allocate(rises_at(profile, dict.fromkeys(names, 0.2)), costs, budget)
    found = found.set_index("layer")
    spent = sum(found.loc[n, "fraction"] * costs[n] for n in names) / sum(macs)
    assert spent <= budget + 1e-9
    grid = np.arange(17) / 16
    values = np.array([np.interp(grid, [0, 0.5, 1], [*r, 0]) for r in rises])
    share = np.array(macs) / sum(macs)
    best = min(
        sum(values[i, c] for i, c in enumerate(choice))
        for choice in itertools.product(range(17), repeat=3)
        if share @ grid[list(choice)] <= budget * 0.998 + 1e-12
    )
    assert found["predicted_rise"].sum() <= best + 1e-9


def test_an_error_beyond_the_profile_is_refused() -> None:
    with pytest.raises(UserError, match=r"layer a: .* 0.30, beyond .* add a larger one"):
        rises_at(table({"a": [10, 5]}), {"a": 0.3})
