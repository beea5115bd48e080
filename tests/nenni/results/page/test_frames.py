import pandas as pd
import pytest
from page_cases import claims

from nenni.results.page import frames
from nenni.results.page.tables import Cell


def column(frame: pd.DataFrame, name: str) -> list[str]:
    return [cell.text if isinstance(cell, Cell) else str(cell) for cell in frame[name]]


def test_the_main_table_has_intervals_and_changes(tables: dict[str, pd.DataFrame]) -> None:
    shown = frames.main(tables["main"])
    assert list(shown)[:6] == ["defence", "base", "radius", "clean", "fgsm", "pgd 20"]
    assert column(shown, "radius") == ["L∞ 8/255"] * 3 + ["L∞ 4/255"]
    assert column(shown, "pgd 20")[0] == "30.0 % [25.0, 35.0]"
    changes = column(shown, "BitOPs against FP32, with overheads")
    assert changes == ["0.0 %", "-50.0 %", "+10.0 %", "0.0 %"]
    assert column(shown, "modelled time on cpu") == ["+50.0 %"] * 4


def test_the_comparison_has_intervals_images_and_ratios(tables: dict[str, pd.DataFrame]) -> None:
    shown = frames.comparison(tables["comparison"])
    assert list(shown)[:5] == ["defence", "base", "radius", "clean", "clean: images"]
    assert column(shown, "pgd 20")[0] == "30.0 % [25.0, 35.0]"
    assert column(shown, "least")[1] == "50.0 % [40.0, 60.0]"
    assert column(shown, "least of suite") == ["full"] * 4
    assert shown["BitOPs INT8 / INT8"].tolist() == pytest.approx([1, 0.5, 1.1, 1])


def test_controls_have_differences_with_intervals(tables: dict[str, pd.DataFrame]) -> None:
    shown = frames.controls(tables["controls"])
    assert column(shown, "difference")[0] == "-10.0 [-20.0, +10.0]"
    assert column(shown, "radius")[:2] == ["none", "L∞ 8/255"]


def test_claims_begin_with_verdict_and_reason_and_keep_all_columns() -> None:
    found = claims()
    shown = frames.claims(found)
    assert list(shown)[:2] == ["verdict", "reason"]
    assert set(shown) == set(found) - {"low", "high"}
    assert column(shown, "measured") == ["-5.0 [-6.6, -3.5]"] * 3 + [""] * 3
    bare = found[["text", "verdict"]]
    assert list(frames.claims(bare)) == ["verdict", "text"]


def test_seeds_are_pooled_into_a_row_with_each_value(tables: dict[str, pd.DataFrame]) -> None:
    accuracy = tables["accuracy"]
    shown = frames.pooled(accuracy, "accuracy")
    assert len(shown) == len(accuracy[accuracy["seed"] == "all"])
    assert column(shown, "every seed")[0] == "0: 90.0, 1: 90.0"
    assert column(shown, "radius")[:3] == ["none", "L∞ 4/255", "L∞ 8/255"]
    assert "seed" not in shown
    paired = frames.pooled(tables["paired"], "difference")
    assert column(paired, "difference")[1] == "-5.0 [+55.0, +65.0]"
    assert "p" not in paired  # of single seeds alone


def test_layers_have_their_terms_and_a_total(tables: dict[str, pd.DataFrame]) -> None:
    shown = frames.bitops(tables["operations"], tables["reductions"])
    of = shown[(shown["base"] == "pgd_at") & (shown["defence"] == "topk_50")].set_index("layer")
    assert list(of.index) == ["conv1", "conv2", "fc1", "total"]
    assert of.loc["conv1", "exact (M)"] == pytest.approx(0.1)
    assert of.loc["total", "exact (M)"] == pytest.approx(0.3)
    assert of.loc["conv1", "plain FP32 (M)"] == pytest.approx(1)
    assert of.loc["conv1", "all (M)"] == pytest.approx(0.5)
    assert column(of, "against INT8") == ["-50.0 %"] * 4


def test_latency_is_in_microseconds_and_compared_with_what_the_platform_has(
    tables: dict[str, pd.DataFrame],
) -> None:
    latency = tables["latency"]
    shown = frames.latency(latency)
    assert shown["injected (µs)"].iloc[0] == pytest.approx(30)
    assert set(column(shown, "change")) == {"+50.0 %"}
    assert "dense int8 (µs)" not in shown  # nobody has it
    half = frames.latency(latency.assign(dense_fp32_s=float("nan")))
    assert set(column(half, "change")) == {"+200.0 %"}


def test_energy_is_in_nanojoules_and_a_mean_over_seeds(tables: dict[str, pd.DataFrame]) -> None:
    shown = frames.energy(tables["energy"])
    assert len(shown) == len(tables["energy"]) / 2
    assert shown["plain (nJ)"].iloc[0] == pytest.approx(4000)
    assert set(column(shown, "change")) == {"-25.0 %"}


def test_numbers_are_means_over_seeds(tables: dict[str, pd.DataFrame]) -> None:
    fit = tables["fit"]
    two = pd.concat([fit, fit.assign(seed=1, recall=0.6)])
    shown = frames.mean_over_seeds(two, ("base", "defence", "layer"))
    assert len(shown) == len(fit)
    assert shown["recall"].to_list() == pytest.approx([0.7] * len(fit))
    assert "seed" not in shown


def test_tables_without_radii_stay_as_they_are() -> None:
    frame = pd.DataFrame({"eps": [0.1]})
    assert frames.at_radius(frame) is frame


def test_verdicts_stand_beside_the_accuracy_that_the_run_has(
    tables: dict[str, pd.DataFrame],
) -> None:
    """That of the defence for the method as evaluated, of no defence for dense FP32; no others'."""
    clean = {"none": 0.95, "topk_50": 0.92}
    main = tables["main"].assign(clean=tables["main"]["defence"].map(clean))
    shown = frames.verdicts(tables["verdicts"], main)
    assert set(column(shown, "defence")) >= {"topk_50", "nm_2_4"}
    rows = shown[(shown["base"] == "pgd_at") & (shown["defence"] == "topk_50")]
    rows = rows[rows["preset"] == "cpu"]
    assert column(rows, "way") == [
        "this method", "this method, exact path INT8", "dense FP32", "dense INT8"
    ]  # fmt: skip
    assert column(rows, "clean accuracy") == ["92.0 %", "not measured", "95.0 %", "not measured"]
    assert column(rows, "times as fast")[0] == "0.70 [0.56, 0.84]"
    assert column(rows, "energy saved")[0] == "20.0 % [10.0, 30.0]"
    assert column(rows, "turns the time")[0] == "overhead_s"
    lacking = shown[shown["way"] == "dense INT4"]
    assert column(lacking, "times as fast") == ["no multipliers of 4 bits"]
    assert column(frames.verdicts(tables["verdicts"], None), "clean accuracy")[0] == "not measured"


def test_networks_without_the_method_have_no_verdict(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["verdicts"]
    plain = table[(table["defence"] != "none") | ~table["way"].str.startswith("this method")]
    assert "none" not in column(frames.verdicts(plain, None), "defence")
