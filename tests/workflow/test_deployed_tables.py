"""Who wins hangs on the dense network that takes no more time, clean and under attack."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scripts import script_named

DENSE = {"width_64": (1.0, 0.8, 0.4), "width_32": (0.5, 0.7, 0.35), "width_16": (0.1, 0.6, 0.3)}
"""Width -> seconds, clean accuracy, least under all attacks; under PGD-20 .1 more."""


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("_deployed_tables")


def tables(**tiles: tuple[float, float, float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    accuracy, times = [], []
    networks = [(base, "int8", *of) for base, of in DENSE.items()]
    networks += [("width_64", name, *of) for name, of in tiles.items()]
    for base, defence, seconds, clean, least in networks:
        key = {"base": base, "defence": defence}
        other = 9.0 if defence == "int8" else float("nan")
        for batch, factor in ((1, 5.0), (64, 1.0)):
            about = {"device": "a", "batch": batch, "threads": 1}
            times.append(about | key | {"ours": seconds * factor, "torch": other})
        rows = [("deployed", "clean", clean), ("deployed", "all attacks", least + 0.05)]
        rows += [("simulation", "pgd_20", least + 0.1), ("simulation", "all attacks", least)]
        for network, attack, share in rows:
            between = {"accuracy": share, "low": share - 0.02, "high": share + 0.02}
            accuracy.append(key | {"network": network, "attack": attack, "same": 0.99} | between)
    return pd.DataFrame(accuracy), pd.DataFrame(times)


@pytest.mark.parametrize(
    ("tiles", "expected"),
    [
        ({"tiles_25": (0.5, 0.7, 0.35)}, "The smaller dense network wins: of 1 networks with tiles 1 take"),
        ({"tiles_25": (0.6, 0.6, 0.3), "tiles_10": (0.2, 0.5, 0.3)}, "The smaller dense network wins"),
        ({"tiles_25": (0.6, 0.75, 0.36)}, "Tiles that are skipped win"),
        ({"tiles_25": (0.6, 0.75, 0.34)}, "Tiles that are skipped win nowhere: of 1 networks with tiles none take"),
        ({"tiles_25": (0.6, 0.75, 0.36), "tiles_10": (0.2, 0.5, 0.3)}, "Neither wins everywhere"),
        ({"tiles_10": (0.05, 0.5, 0.2), "tiles_25": (0.6, 0.6, 0.3)}, "Neither wins everywhere: of 2 networks with tiles 1 take"),
        ({"tiles_50": (1.2, 0.79, 0.39)}, "Tiles that are skipped win"),
        ({}, "Tiles that are skipped win nowhere: of 0 networks"),
    ],
)  # fmt: skip
def test_the_first_sentence_says_who_wins(script: Any, tiles: Any, expected: str) -> None:
    assert script.sentence(script.networks(*tables(**tiles))).startswith(expected)


def test_rivals_are_the_smaller_dense_networks_of_no_more_time(script: Any) -> None:
    found = script.networks(
        *tables(
            tiles_50=(0.495, 0.7, 0.3), tiles_40=(1.5, 0.65, 0.35), tiles_25=(0.4, 0.7, 0.3),
            tiles_10=(0.05, 0.7, 0.3),
        )
    )  # fmt: skip
    rivals = script.rivals(found).set_index("defence")
    assert rivals["beaten_by"].to_dict() == {
        "tiles_10": [], "tiles_25": [], "tiles_50": [32], "tiles_40": [32],
    }  # fmt: skip
    assert rivals["alone"].to_dict() == {
        "tiles_10": True, "tiles_25": False, "tiles_50": False, "tiles_40": False,
    }  # fmt: skip
    assert not rivals["ahead"].any()


def test_a_faster_rival_that_is_more_accurate_beats_as_well(script: Any) -> None:
    accuracy, times = tables(tiles_25=(0.6, 0.68, 0.355))
    narrow = accuracy["base"] == "width_16"
    accuracy.loc[narrow & (accuracy["attack"] == "clean"), "accuracy"] = 0.7
    accuracy.loc[narrow & (accuracy["attack"] == "all attacks"), "accuracy"] = 0.36
    assert not script.rivals(script.networks(accuracy, times))["beaten_by"][0]
    accuracy.loc[narrow & (accuracy["attack"] == "pgd_20"), "accuracy"] = 0.46
    assert script.rivals(script.networks(accuracy, times))["beaten_by"][0] == [16]


def test_tiles_in_a_narrow_network_have_no_wider_rival(script: Any) -> None:
    accuracy, times = tables(tiles_25=(0.6, 0.62, 0.31))
    for found in (accuracy, times):
        found.loc[found["defence"] == "tiles_25", "base"] = "width_16"
    assert script.rivals(script.networks(accuracy, times))["alone"][0]


def test_times_of_a_second_device_are_left_out(script: Any) -> None:
    accuracy, times = tables(tiles_25=(0.25, 0.65, 0.3))
    both = pd.concat([times, times.assign(device="b", ours=7.0)], ignore_index=True)
    assert script.table(accuracy, both).equals(script.table(accuracy, times))


def test_the_table_has_a_row_for_each_network_the_fastest_first(script: Any) -> None:
    table = script.table(*tables(tiles_25=(0.25, 0.55, 0.3)))
    assert [*table["network"]] == [
        "width 16, dense INT8", "width 64, `tiles_25`", "width 32, dense INT8", "width 64, dense INT8",
    ]  # fmt: skip
    assert [*table["times as fast"]] == ["10.00", "4.00", "2.00", "1.00"]
    assert [*table["no better than dense of width"]] == ["", "16", "", ""]
    assert table["clean"][1] == "55.0 % (53.0 % to 57.0 %)"
    assert table["Square and transfer on the deployed one"][1] == "35.0 %"


def test_a_loss_above_the_aim_is_bold(script: Any) -> None:
    controls = pd.DataFrame(
        [
            {"base": "width_32", "defence": defence, "control": control, "measure": measure}
            | {"difference": lost, "low": lost - 0.01, "high": lost + 0.01}
            for measure in ("clean", "fgsm", "pgd_20")
            for defence, control, lost in (
                ("tiles_50", "none_ft", -0.011),
                ("tiles_25", "none_ft", -0.019),
                ("tiles_10", "none_ft", -0.4),
                ("tiles_50", "none", -0.5),
                ("tiles_50", "int8", -0.5),
            )
        ]
    )
    table = script.after_training(controls)
    assert [*table["network"]] == [f"width 32, `tiles_{n}`" for n in (50, 25, 10, 50)]
    assert [*table["less"]] == ["`none_ft`"] * 3 + ["`int8`"]
    assert [*table["clean"]] == [
        "**-1.1 (-2.1 to -0.1)**", "-1.9 (-2.9 to -0.9)", "-40.0 (-41.0 to -39.0)",
        "-50.0 (-51.0 to -49.0)",
    ]  # fmt: skip
    assert table["PGD-20"][0] == "-1.1 (-2.1 to -0.1)"


def test_the_picture_is_drawn(script: Any, tmp_path: Path) -> None:
    script.draw(
        *tables(tiles_25=(0.25, 0.65, 0.3), tiles_25_alloc=(0.26, 0.66, 0.3)), tmp_path / "a.png"
    )
    assert (tmp_path / "a.png").stat().st_size > 10_000
