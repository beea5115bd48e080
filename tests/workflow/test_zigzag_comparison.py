"""The committed comparison with ZigZag is what the script makes, on all rows."""

import pandas as pd
from scripts import script_named

script = script_named("zigzag_comparison")


def test_the_table_is_of_this_model() -> None:
    found, kept = script.compared(), pd.read_csv(script.TABLE)
    assert len(kept) == 12
    pd.testing.assert_frame_equal(found, kept, rtol=1e-6)


def test_rows_that_weights_bound_are_near() -> None:
    kept = pd.read_csv(script.TABLE)
    weights, others = kept["n"] * kept["d"], kept["M"] * (kept["d"] + kept["n"])
    near = kept[weights > 3 * others]
    assert len(near) >= 3
    assert near["cycles_ratio"].between(0.95, 1.05).all()
