"""The comparison, from small tables."""

import pandas as pd
import pytest
from page_cases import page_tables
from table_cases import COLUMNS

from nenni.results.comparison import comparison, display

Tables = dict[str, pd.DataFrame]
TOPK = ("pgd_at", "topk_50")


@pytest.fixture
def made() -> Tables:
    return page_tables()


def compared(made: Tables, **changes: pd.DataFrame | None) -> pd.DataFrame:
    names = ("main", "crossovers", "energy", "suites", "overhead")
    given = {name: made.get(name) for name in names} | changes
    return comparison(**given, columns=COLUMNS).set_index(["base", "defence"])  # type: ignore[arg-type]


def test_costs_are_ratios_to_the_dense_network(made: Tables) -> None:
    row = compared(made).loc[TOPK]
    assert row["bitops_fp32"] == pytest.approx(0.5)
    assert row["bitops_int8"] == pytest.approx(0.5)
    assert row["time_fp32_cpu"] == pytest.approx(1.5)
    assert row["time_int8_cpu"] == pytest.approx(1.0)
    assert row["energy_fp32_cpu"] == row["energy_int8_npu"] == pytest.approx(0.75)
    assert (row["pgd_20"], row["pgd_20_n"]) == (pytest.approx(0.3), 100)
    assert "training_overhead" not in row


def test_int8_networks_are_compared_with_fp32_as_they_were_evaluated(made: Tables) -> None:
    """Each layer at its own bits, in all or in some layers."""
    energy = made["energy"]
    energy["dense_memory_pj"] = energy["bits"] * 1e5
    energy["injected_memory_pj"] = energy["bits"] * 2e5
    some = energy["layer"] == "conv1"
    extra = pd.concat([energy, energy[some].assign(layer="conv2")], ignore_index=True)
    total = (extra["layer"] == "total") & (extra["bits"] == 32)
    extra.loc[extra["layer"] == "total", ["dense_memory_pj"]] *= 2
    assert total.any()
    short = extra["defence"] == "topk_50"
    mixed = extra["defence"] == "nm_2_4"
    first = extra["layer"] == "conv1"
    extra["evaluated"] = extra["bits"] == 32
    extra.loc[short, "evaluated"] = extra["bits"] == 8
    extra.loc[mixed, "evaluated"] = (extra["bits"] == 8) == first
    table = compared(made, energy=extra)
    assert table.loc[TOPK, "energy_fp32_cpu"] == pytest.approx(2 * 2 * 8 / (2 * 32))
    mixture = table.loc[("pgd_at", "nm_2_4"), "energy_fp32_cpu"]
    assert mixture == pytest.approx(2 * (8 + 32) / (2 * 32))


def test_energy_is_unknown_where_a_platform_lacks_the_bits_of_a_layer(made: Tables) -> None:
    other = made["energy"].query("layer == 'conv1'").assign(layer="conv2")
    energy = pd.concat([made["energy"], other], ignore_index=True)
    lacking = (energy["preset"] == "npu") & (energy["layer"] == "conv1") & (energy["bits"] == 32)
    table = compared(made, energy=energy.assign(evaluated=energy["evaluated"] & ~lacking))
    assert table["energy_fp32_npu"].isna().all()
    assert table["energy_int8_npu"].notna().all()
    assert table["energy_fp32_cpu"].notna().all()


def test_the_least_is_of_the_suite_with_most_images_then_most_attacks(made: Tables) -> None:
    full = made["suites"].assign(n=60, low=0.4, high=0.6)
    part = full[full["attack"] == "all attacks"].assign(n=30, accuracy=0.1)
    few = full.assign(suite="few", n=50, accuracy=0.2)
    more = full[full["attack"] == "pgd"].assign(attack="square", accuracy=0.45)
    row = compared(made, suites=pd.concat([few, part, full, more])).loc[TOPK]
    assert (row["least"], row["least_n"], row["least_suite"]) == (0.5, 60, "full")
    assert row["least_attacks"] == 2
    assert row["suite_square"] == 0.45
    wider = pd.concat([few.assign(n=60), full, more])
    assert compared(made, suites=wider).loc[TOPK, "least_suite"] == "full"
    narrower = pd.concat([few.assign(n=60), more.assign(suite="few", n=60), full])
    assert compared(made, suites=narrower).loc[TOPK, "least_suite"] == "few"


def test_the_least_is_in_the_norm_of_the_main_table(made: Tables) -> None:
    suites = made["suites"]
    lower = suites.assign(accuracy=suites["accuracy"].where(suites["norm"] == "linf", 0.1))
    assert compared(made, suites=lower).loc[TOPK, "least"] == 0.5
    assert "least" not in compared(made, suites=lower[lower["norm"] == "l2"])


def test_training_times_are_medians_over_the_seeds(made: Tables) -> None:
    times = pd.DataFrame(
        {"base": "pgd_at", "defence": "topk_50", "seed": range(3), "over_control": [2.0, 3.0, 9.0]}
    )
    table = compared(made, overhead=times)
    assert table.loc[TOPK, "training_overhead"] == 3.0
    assert pd.isna(table.loc[("pgd_at", "none"), "training_overhead"])


def test_for_the_eye(made: Tables) -> None:
    times = pd.DataFrame(
        {"base": ["pgd_at"], "defence": ["topk_50"], "seed": [0], "over_control": [2.0]}
    )
    here = made["suites"].query("defence != 'none'")
    shown = display(compared(made, overhead=times, suites=here).reset_index())
    row = shown.set_index(["base", "defence"]).loc[TOPK]
    assert row["eps"] == "8/255"
    assert row["pgd_20"] == "30.0 % [25.0, 35.0; 100]"
    assert row["least of"] == "full, 1 attack, eps 8/255"
    assert row["BitOPs INT8 / INT8"] == "0.50"
    assert row["time / FP32 cpu"] == "1.50"
    assert row["training time"] == "2.00"
    assert shown.loc[0, "least"] == shown.loc[0, "least of"] == shown.loc[0, "training time"] == "-"


def test_titles_and_attacks_may_end_as_columns_do(made: Tables) -> None:
    """The radius and the suite's attacks are no titles, though they look like means of such."""
    renamed = {c: c.replace("pgd_20", "eps_low") for c in made["main"] if c.startswith("pgd_20")}
    main = made["main"].rename(columns=renamed)
    suites = made["suites"].replace({"attack": {"pgd": "square_low"}})
    names = ("crossovers", "energy")
    table = comparison(
        main, *(made[name] for name in names), suites, columns={"fgsm": "fgsm", "eps_low": "pgd"}
    )
    assert "suite_square_low" in table
    row = display(table).set_index(["base", "defence"]).loc[TOPK]
    assert (row["eps"], row["eps_low"]) == ("8/255", "30.0 % [25.0, 35.0; 100]")
    assert "suite_square" not in row


def test_autoattack_has_a_column_for_the_eye(made: Tables) -> None:
    assert "AutoAttack" not in display(compared(made).reset_index())
    asked = made["suites"].query("attack == 'pgd' and defence == 'topk_50'")
    asked = asked.assign(attack="autoattack", accuracy=0.25)
    both = pd.concat([made["suites"], asked])
    shown = display(compared(made, suites=both).reset_index()).set_index(["base", "defence"])
    assert shown.loc[TOPK, "AutoAttack"] == "25.0 %"
    assert (shown["AutoAttack"].drop(index=[TOPK]) == "-").all()
