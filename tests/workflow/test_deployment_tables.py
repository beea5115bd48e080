"""Ratios are over the faster of two dense kernels, whole networks by what was chosen."""

from typing import Any

import pandas as pd
import pytest
from scripts import script_named


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("_deployment_tables")


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    rows = []
    for batch in (1, 64):
        for fraction in (0.5, 0.25):
            about = {"device": "a", "width": 64, "batch": batch, "threads": 1, "fraction": fraction}
            rows += [
                about | {"layer": "a", "torch": 3.0, "dense": 2.0, "skipping": 2 * fraction, "over_best_dense": 1 / fraction},
                about | {
                    "layer": "whole network", "torch": 4.0, "dense": 5.0, "skipping": 8.0, "where_faster": 4 * fraction,
                    "over_best_dense": 1 / fraction,
                },
            ]  # fmt: skip
    return pd.DataFrame(rows)


def test_whole_networks(script: Any, found: pd.DataFrame) -> None:
    table = script.whole(found)
    assert [*table["batch"]] == [1, 64]
    assert table.iloc[0].to_dict() == {
        "processor": "a", "width": 64, "batch": 1, "threads": 1, "dense by our kernels": "1.25",
        "50% exact": "2.00 (0.50)", "25% exact": "4.00 (0.50)",
    }  # fmt: skip


def test_skipping_by_torchs_products_has_a_column_where_it_was_timed(
    script: Any, found: pd.DataFrame
) -> None:
    title = "25% exact, by torch's products"
    assert title not in script.whole(found)
    assert [*script.whole(found.assign(torch_path=16.0))[title]] == ["0.25", "0.25"]


def test_a_second_processor_has_rows_of_whole_networks_alone(
    script: Any, found: pd.DataFrame
) -> None:
    both = pd.concat([found, found.assign(device="b", torch=9.0)], ignore_index=True)
    assert [*script.whole(both)["processor"]] == ["a", "a", "b", "b"]
    assert script.whole(both)[:2].equals(script.whole(found))
    assert script.layers(both, 64).equals(script.layers(found, 64))


def test_layers(script: Any, found: pd.DataFrame) -> None:
    table = script.layers(found, 64)
    assert table.to_dict("records") == [
        {"layer": "`a`", "batch 1, 50 %": "2.00", "batch 1, 25 %": "4.00", "batch 64, 50 %": "2.00", "batch 64, 25 %": "4.00"}
    ]  # fmt: skip


def test_predictions_by_network(script: Any) -> None:
    found = pd.DataFrame(
        {"width": 64, "batch": [1, 1, 64, 64], "measured": [1.0, 2.0, 1.0, 4.0],
         "predicted": [1.1, 1.0, 1.0, 4.4]}
    )  # fmt: skip
    first, second = script.predicted(found).to_dict("records")
    assert (first["median error"], first["within 25%"], first["largest error"]) == (
        "30%",
        "50%",
        "50%",
    )
    assert (second["median error"], second["within 25%"]) == ("5%", "100%")
    assert first["measured, smallest to largest"] == "1.00 to 2.00"


def test_crossings_are_where_a_line_of_times_meets_that_of_dense(script: Any) -> None:
    """Time over dense, skipping: 0.1 + f in one layer, 1.2 + f in another, and 0.2 + f / 2."""
    rows = []
    for layer, measured, predicted in (
        ("wins", (0.1, 1.0), (0.2, 1.0)), ("never", (1.2, 1.0), (1.1, 1.0)),
        ("always", (0.2, 0.5), (0.2, 0.5)), ("differs", (0.5, 1.0), (1.5, 1.0)),
    ):  # fmt: skip
        for f in (0.1, 0.25, 0.5):
            ratios = [1 / (start + slope * f) for start, slope in (measured, predicted)]
            rows.append([64, 1, f, layer, *ratios])
    columns = ["width", "batch", "fraction", "layer", "measured", "predicted"]
    (row,) = script.crossings(pd.DataFrame(rows, columns=columns)).to_dict("records")
    assert row == {
        "width": 64, "batch": 1, "layers": 4, "never, by both": 1, "they differ": 1,
        "measured": "95 % (90 to 100)", "predicted": "90 % (80 to 100)",
        "median distance": "5 points",
    }  # fmt: skip


def test_what_a_repeat_moves_is_told_of_the_setting_where_it_is_most(script: Any) -> None:
    rows = [
        ["a", script.WHOLE, 64, 1, 1, 1.0], ["a", script.WHOLE, 64, 1, 1, 1.1], ["a", "conv", 64, 1, 1, 9.0],
        ["a", script.WHOLE, 16, 1, 1, 0.5], ["a", script.WHOLE, 16, 1, 1, 0.4], ["b", script.WHOLE, 64, 1, 1, 3.0],
    ]  # fmt: skip
    columns = ["device", "layer", "width", "batch", "threads", "dense"]
    assert script.repeated(pd.DataFrame(rows, columns=columns)) == "1.25"


def test_touched_tiles_are_told_from_the_least_mean_over_layers_to_the_most(script: Any) -> None:
    rows = [
        ["as trained", "a", "32x8", 0.5, 1.0], ["as trained", "b", "32x8", 0.5, 0.98],
        ["learned", "a", "32x8", 0.5, 0.9], ["learned", "a", "1x8", 0.5, 0.6],
    ]  # fmt: skip
    found = pd.DataFrame(rows, columns=["order", "layer", "tile", "fraction", "touched"])
    assert script.touched(found, "32x8") == "90.0 % to 99.0 %"
    assert script.touched(found, "1x8") == "60.0 %"


def test_limits_are_of_layers_and_speeds_of_all_together(script: Any) -> None:
    columns = [
        "width",
        "batch",
        "layer",
        "exact",
        "products_s",
        "bytes_s",
        "measured_s",
        "of_bound",
    ]
    rows = [
        [64, 1, "a", 1.0, 4.0, 1.0, 8.0, 0.5], [64, 1, "b", 1.0, 1.0, 2.0, 4.0, 0.5],
        [64, 1, "a", 0.5, 2.0, 1.0, 6.0, 0.33], [64, 1, "b", 0.5, 1.0, 1.0, 2.0, 0.5],
    ]  # fmt: skip
    dense, half = script.limits(pd.DataFrame(rows, columns=columns)).to_dict("records")
    assert dense["times as fast, by the bounds"] == dense["measured"] == "1.00"
    assert (half["exact"], half["least"], half["largest"]) == ("50%", "33%", "50%")
    assert half["times as fast, by the bounds"] == "2.00"  # 6 over 3
    assert half["measured"] == "1.50"


def test_where_dense_layers_are_slower_than_torch(script: Any, found: pd.DataFrame) -> None:
    told = "1.25 times (width 64, batch 1, 1 thread), 1.25 times (width 64, batch 64, 1 thread)"
    assert script.slower_than_torch(found) == told
    assert script.slower_than_torch(found.assign(torch=6.0)) == ""


def test_what_torch_as_a_choice_of_a_layer_would_save(script: Any, found: pd.DataFrame) -> None:
    assert script.by_torch_too(found) == "0% (width 64)"
    assert script.by_torch_too(found.assign(torch=0.4)) == "30% (width 64)"


def test_recall_is_the_mean_over_layers_by_order_and_score(script: Any) -> None:
    rows = [
        {"order": order, "layer": layer, "tile": "32x8", "fraction": 0.25, "mean": mean,
         "calibrated": mean + 0.01, "known": mean + 0.02}
        for order, mean in (("as trained", 0.2), ("learned", 0.4)) for layer in "ab"
    ]  # fmt: skip
    rows[0]["mean"] = 0.4
    (row,) = script.held(pd.DataFrame(rows)).to_dict("records")
    assert (row["tile"], row["exact"]) == ("32x8", "25%")
    assert row["as trained, mean of z~"] == "0.300"
    assert row["learned, calibrated"] == "0.410"
    assert row["learned, z known"] == "0.420"


def test_accuracies_stand_in_a_row_per_tile_and_order(script: Any) -> None:
    about = {"low": 0.1, "high": 0.9}
    rows = [
        {"order": "as trained", "tile": "none", "fraction": 1.0, "accuracy": 0.8},
        {"order": "learned", "tile": "32x8", "fraction": 0.5, "accuracy": 0.7},
        {"order": "learned", "tile": "32x8", "fraction": 0.25, "accuracy": 0.6},
    ]
    none, tile = script.tiled(pd.DataFrame([row | about for row in rows])).to_dict("records")
    assert none["all exact"] == "80.0% [10.0%, 90.0%]"
    assert none["50% exact"] == ""
    assert (tile["50% exact"], tile["25% exact"]) == (
        "70.0% [10.0%, 90.0%]",
        "60.0% [10.0%, 90.0%]",
    )


@pytest.mark.parametrize(("more", "told"), [(0.01, "nowhere"), (0.5, "in part")])
def test_accuracy_by_the_order(script: Any, more: float, told: str) -> None:
    rows = [
        {
            "order": order,
            "tile": tile,
            "fraction": 0.5,
            "accuracy": a,
            "low": a - 0.05,
            "high": a + 0.05,
        }
        for tile, gain in (("32x8", -0.02), ("16x8", more))
        for order, a in (("as trained", 0.4), ("learned", 0.4 + gain))
    ]
    found = script.accuracy_gained(pd.DataFrame([*rows, {"order": "as trained", "tile": "none"}]))
    assert found == f"-2.0 to {100 * more:.1f} points of accuracy, {told} more than the intervals"


def test_what_order_and_scores_add(script: Any) -> None:
    rows = [
        {"order": order, "layer": layer, "tile": tile, "fraction": 0.25, "mean": mean,
         "calibrated": mean + 0.01, "known": mean + 0.02}
        for order, mean in (("as trained", 0.2), ("learned", 0.4)) for layer in "ab"
        for tile in ("32x8", "16x8", "single neurons")
    ]  # fmt: skip
    found = pd.DataFrame(rows)
    found.loc[(found["tile"] == "16x8") & (found["order"] == "learned"), "mean"] += 0.1
    found.loc[found["tile"] == "single neurons", "mean"] = 0.9
    assert script.gained(found, "order") == "20.0 to 30.0"
    assert script.gained(found, "known") == "-8.0 to 2.0"
