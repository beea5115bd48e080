"""What lengths of fine-tuning come to, beside the control of the same seed, rate and length."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from scripts import script_named

from nenni.core.errors import UserError

CHOICE = SimpleNamespace(ratio=0.5, lr=0.01, epochs=2)


@pytest.fixture(scope="module")
def script() -> Any:
    return script_named("_protocol_tables")


def rows(pgd: dict[tuple[int, str, float, int], float]) -> pd.DataFrame:
    """A study, from the accuracy under PGD-20 of seed, selection, rate and length."""
    return pd.DataFrame(
        {
            "seed": seed, "selection": selection, "lr": lr, "epochs": epochs, "pgd_20": accuracy,
            "projection": "-" if selection == "none" else "sparse",
            "ratio": 0.0 if selection == "none" else 0.5, "clean": 0.9, "least": accuracy - 0.1,
        }
        for (seed, selection, lr, epochs), accuracy in pgd.items()
    )  # fmt: skip


STUDY = {
    (0, "none", 0.01, 2): 0.80, (1, "none", 0.01, 2): 0.70, (0, "none", 0.01, 4): 0.85,
    (1, "none", 0.01, 4): 0.75, (0, "none", 0.1, 2): 0.50,
    (0, "4:8", 0.01, 2): 0.75, (1, "4:8", 0.01, 2): 0.69, (0, "4:8", 0.01, 4): 0.83,
    (1, "4:8", 0.01, 4): 0.76, (0, "4:8", 0.1, 2): 0.55,
}  # fmt: skip


def test_gaps_are_to_the_control_of_the_same_seed_rate_and_length(script: Any) -> None:
    found = script.gaps(rows(STUDY)).set_index(["seed", "lr", "epochs"])
    expected = {
        (0, 0.01, 2): -0.05, (1, 0.01, 2): -0.01, (0, 0.01, 4): -0.02, (1, 0.01, 4): 0.01,
        (0, 0.1, 2): 0.05,
    }  # fmt: skip
    assert found["pgd_20"].to_dict() == pytest.approx(expected)
    assert found["least"].to_dict() == pytest.approx(expected)
    assert (found["clean"] == 0).all()


def test_a_missing_control_is_named(script: Any) -> None:
    lacking = {key: v for key, v in STUDY.items() if key != (1, "none", 0.01, 4)}
    with pytest.raises(UserError, match="no control has the seed, rate and length"):
        script.gaps(rows(lacking))


def test_how_far_twice_the_length_and_another_seed_move_it(script: Any) -> None:
    assert script.moved(rows(STUDY), CHOICE, "pgd_20") == pytest.approx((0.03 + 0.02) / 2)
    assert script.spread(rows(STUDY), CHOICE, "pgd_20") == pytest.approx(0.04)
    assert script.seeds_of_both(rows(STUDY), CHOICE) == 2
    alone = {key: v for key, v in STUDY.items() if key != (1, "4:8", 0.01, 4)}
    assert script.seeds_of_both(rows(alone), CHOICE) == 1
    assert script.moved(rows(alone), CHOICE, "pgd_20") == pytest.approx(0.03)


def test_means_stand_with_each_seed(script: Any) -> None:
    table = script.to_control(rows(STUDY))
    assert list(table["PGD-20"]) == ["-3.0 (-5.0, -1.0)", "-0.5 (-2.0, +1.0)", "+5.0"]
    assert list(script.controls(rows(STUDY))["PGD-20"]) == ["75.0 %", "80.0 %", "50.0 %"]
