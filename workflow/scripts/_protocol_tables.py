"""Tables of docs/protocol.md: what lengths, ratios and rates of fine-tuning come to."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from nenni.core.errors import UserError
from nenni.run.config_file import load_config

CONFIGS = Path(__file__).parents[2] / "config"
MEASURED = ["clean", "pgd_20", "least"]
_TITLES = {"clean": "clean", "pgd_20": "PGD-20", "least": "least over three attacks"}


def gaps(rows: pd.DataFrame) -> pd.DataFrame:
    """Each injected network less the control of its seed, rate and length, in shares.

    Raises
    ------
    UserError
        If a control is missing.
    """
    paired = ["seed", "lr", "epochs"]
    control = rows[rows["selection"] == "none"].set_index(paired)
    injected = rows[rows["selection"] != "none"].reset_index(drop=True)
    try:
        beside = control.loc[pd.MultiIndex.from_frame(injected[paired])].reset_index()
    except KeyError as error:
        raise UserError(f"no control has the seed, rate and length of each row: {error}") from None
    return injected.assign(**{name: injected[name] - beside[name] for name in MEASURED})


def to_control(table: pd.DataFrame) -> pd.DataFrame:
    """Points that injected networks lie above their control, means and each seed, by epochs."""
    found = []
    of = ["selection", "projection", "ratio", "lr", "epochs"]
    for (selection, projection, ratio, lr, epochs), here in gaps(table).groupby(of, sort=False):
        row = {
            "selection": selection, "P": f"{projection}, k/d {ratio:g}", "rate": f"{lr:g}",
            "epochs": epochs,
        }  # fmt: skip
        found.append(row | {_TITLES[name]: _points(here[name]) for name in MEASURED})
    return pd.DataFrame(found)


def controls(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracies of the networks that are trained on without injection, means over the seeds."""
    plain = table[table["selection"] == "none"]
    means = plain.groupby(["lr", "epochs"], sort=False)[MEASURED].mean().reset_index()
    shown = {_TITLES[name]: [f"{100 * v:.1f} %" for v in means[name]] for name in MEASURED}
    return pd.DataFrame({"rate": means["lr"].map("{:g}".format), "epochs": means["epochs"]} | shown)


def chosen() -> SimpleNamespace:
    """What the default config chose, and the ratio of the others of the run of all claims."""
    config, claims = (load_config(CONFIGS / f"{name}.yaml") for name in ("config", "mnist_claims"))
    changes = [d.injection or {} for d in claims.defences.values()]
    ratios = {change["projection"]["ratio"] for change in changes if "projection" in change}
    (other,) = ratios
    (tuning,) = config.finetunes.values()
    longer = claims.finetunes["longer"].epochs
    return SimpleNamespace(
        ratio=config.injection["projection"]["ratio"],
        other_ratio=other,
        epochs=tuning.epochs,
        longer=longer,
        lr=tuning.lr,
        min_inputs=config.injection["min_inputs"],
        eps=[f"{eps:g}/255" for eps in config.tables.eps.values()],
        val=config.data["mnist5k"].val,
    )


def moved(table: pd.DataFrame, choice: SimpleNamespace, measured: str) -> float:
    """By how much twice the chosen epochs move the mean gap to the control, in shares."""
    once, twice = (_at(table, choice, length)[measured] for length in (1, 2))
    return float((twice - once).dropna().mean())


def seeds_of_both(table: pd.DataFrame, choice: SimpleNamespace) -> int:
    """Seeds that the chosen setting was tried with, at its length and at twice that."""
    once, twice = (_at(table, choice, length).index.unique("seed") for length in (1, 2))
    return len(once.intersection(twice))


def spread(table: pd.DataFrame, choice: SimpleNamespace, measured: str) -> float:
    """The most by which the gaps of two seeds differ at what was chosen."""
    by_selection = _at(table, choice, 1)[measured].groupby("selection")
    return float((by_selection.max() - by_selection.min()).max())


def points(share: float) -> str:
    """A difference of shares in points, without its sign."""
    return f"{100 * abs(share):.1f} points"


def ratio(k_over_d: float) -> str:
    """A ratio as a fraction, ``1/8``."""
    return str(Fraction(k_over_d))


def _at(table: pd.DataFrame, choice: SimpleNamespace, times: int) -> pd.DataFrame:
    found = gaps(table)
    here = found[(found["ratio"] == choice.ratio) & (found["lr"] == choice.lr)]
    here = here[here["epochs"] == times * choice.epochs]
    return here.set_index(["seed", "selection", "projection"])


def _points(values: pd.Series) -> str:
    each = ", ".join(f"{100 * value:+.1f}" for value in values)
    return f"{100 * values.mean():+.1f} ({each})" if len(values) > 1 else each
