"""Tables of docs/post_training.md: what injected networks keep that are not trained again."""

import pandas as pd
from _post_training import BEFORE, DEFAULT_FIT, FITS
from _words import Row, percent

_TITLES = {
    "resnet20": "ResNet-20",
    "resnet32": "ResNet-32",
    "efficientnet_lite0": "EfficientNet-Lite0",
    "lenet5": "LeNet5",
}
_ALLOCATIONS = {
    "uniform": "one fraction for all",
    "measured": "by what the injected network loses",
    "profile": "by sensitivities of single layers",
}
_METHODS = {
    "ridge": "closed form",
    "adam": "Adam alone",
    "ridge, then adam": "closed form, then Adam",
    "sgd": "SGD with momentum alone",
}


def accuracy(row: Row) -> str:
    """Accuracy of a row with its 95 % interval."""
    return f"{percent(row.accuracy)} ({100 * row.low:.1f} to {100 * row.high:.1f})"


def by_factor(*found: pd.DataFrame, factors: tuple[str, ...]) -> pd.DataFrame:
    """One row per value of one factor or more, and each network's accuracy, error and recall."""
    table = pd.DataFrame()
    for network in found:
        here = network[network["factor"].isin(factors)]
        title = _title(here)
        values = here["value"] if len(factors) == 1 else here["factor"] + " " + here["value"]
        columns = {
            f"{title}: accuracy": [accuracy(row) for row in here.itertuples()],
            "error": here["relative_error"].map("{:.2f}".format).to_numpy(),
            "recall": here["recall"].map("{:.2f}".format).replace("nan", "").to_numpy(),
        }
        added = pd.DataFrame(columns, index=values.str.replace("_", " "))
        table = added if table.empty else pd.concat([table, added], axis=1)
    table = table.fillna("")
    return table.rename_axis(factors[0] if len(factors) == 1 else "changed").reset_index()


def grid(*found: pd.DataFrame) -> pd.DataFrame:
    """Accuracy in per cent, a row per projection, a column per fraction, networks after another."""
    here = pd.concat(table[table["factor"] == "fraction x projection"] for table in found)
    here[["fraction", "projection"]] = here["value"].str.split(" x ", expand=True)
    here["told"] = (100 * here["accuracy"]).map("{:.1f}".format)
    order = [*dict.fromkeys(here["projection"])], [*dict.fromkeys(here["fraction"])]
    told = here.groupby(["projection", "fraction"], sort=False)["told"].agg(" / ".join)
    return told.unstack().loc[order].reset_index()


def before_and_after(*found: pd.DataFrame) -> pd.DataFrame:
    """One row per setting and fit: each network's accuracy and the CPU seconds of the fit."""
    keys = ["top-k", "P", "inputs, batch norms"]
    table = pd.DataFrame()
    for network in found:
        here = _fits(network).set_axis(keys, axis=1)
        rows = network.loc[here.index]
        columns = {
            f"{_title(rows)}: accuracy": [accuracy(row) for row in rows.itertuples()],
            "CPU seconds": rows["seconds"].map("{:.0f}".format).to_numpy(),
        }
        named = here[keys[2]].where(here[keys[2]] != DEFAULT_FIT, f"**{DEFAULT_FIT}**")
        added = pd.DataFrame(
            columns, index=pd.MultiIndex.from_frame(here.assign(**{keys[2]: named}))
        )
        table = added if table.empty else pd.concat([table, added], axis=1)
    return table.fillna("").reset_index()


def changes(*found: pd.DataFrame) -> pd.DataFrame:
    """From the former default to this one: change of accuracy, and how many times the seconds."""
    parts = []
    for network in found:
        here = _fits(network).join(network[["accuracy", "seconds"]])
        before, after = (
            here[here["fit"] == fit].drop(columns="fit") for fit in (BEFORE, DEFAULT_FIT)
        )
        both = after.merge(before, on=["fraction", "P"], suffixes=("", "_before"))
        parts.append(both.assign(network=_title(network)))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(
        fraction=table["fraction"].astype(float),
        change=table["accuracy"] - table["accuracy_before"],
        times=table["seconds"] / table["seconds_before"],
    )


def fit_means(study: pd.DataFrame) -> pd.DataFrame:
    """One row per network and fit: means over the settings that have all fits, and changes."""
    named = study.assign(fit=study["inputs"] + ", " + study["batch_norms"])
    rows = []
    for network, here in named.groupby("network", sort=False):
        wide = here.pivot(index=["projection", "fraction"], columns="fit")[["accuracy", "seconds"]]
        whole = wide.dropna()
        shares, seconds = whole["accuracy"], whole["seconds"]
        for fit in [fit for fit in FITS if fit in shares and len(shares)]:
            change = shares[fit] - shares[BEFORE]
            rows.append(
                {
                    "network": _TITLES[network],
                    "fit": fit,
                    "settings": len(shares),
                    "accuracy": shares[fit].mean(),
                    "least": change.min(),
                    "most": change.max(),
                    "seconds": seconds[fit].mean(),
                    "times": seconds[fit].sum() / seconds[BEFORE].sum(),
                }
            )
    return pd.DataFrame(rows)


def fit_choices(study: pd.DataFrame) -> pd.DataFrame:
    """The means as a reader wants them; the default in bold."""
    means = fit_means(study)
    points = (100 * means[["least", "most"]]).map("{:+.1f}".format)
    points = (points["least"] + " to " + points["most"]).where(means["fit"] != BEFORE, "")
    return pd.DataFrame(
        {
            "network": means["network"],
            "inputs, batch norms": means["fit"].replace(DEFAULT_FIT, f"**{DEFAULT_FIT}**"),
            "settings": means["settings"],
            "mean accuracy": means["accuracy"].map(percent),
            f"points beside {BEFORE}": points,
            "CPU seconds": means["seconds"].map("{:.0f}".format),
        }
    )


def default_beside_best(study: pd.DataFrame) -> pd.DataFrame:
    """The default's row of means for each network that has one, and the best of the others'."""
    means = fit_means(study)
    default = means[means["fit"] == DEFAULT_FIT]
    others = means[means["fit"] != DEFAULT_FIT].sort_values("accuracy", kind="stable")
    best = others.groupby("network").tail(1)[["network", "fit", "accuracy"]]
    return default.merge(best, on="network", suffixes=("", "_other"))


def allocation(found: pd.DataFrame) -> pd.DataFrame:
    """One row per budget, one column per way to spend it; p of McNemar's test against uniform."""
    p = found["mcnemar_p"].map(", p {:.0e}".format).where(found["allocation"] != "uniform", "")
    told = pd.Series([accuracy(row) for row in found.itertuples()], index=found.index) + p
    wide = found.assign(told=told).pivot(index="budget", columns="allocation", values="told")
    return wide[[*_ALLOCATIONS]].rename(columns=_ALLOCATIONS).reset_index()


def allocation_changes(found: pd.DataFrame) -> pd.DataFrame:
    """Accuracy and loss of each way to spend a budget, less those of one fraction for all."""
    uniform = found[found["allocation"] == "uniform"][["budget", "accuracy", "loss"]]
    others = found[found["allocation"] != "uniform"]
    both = others.merge(uniform, on="budget", suffixes=("", "_uniform"))
    return both.assign(change=both["accuracy"] - both["accuracy_uniform"])


def fit_methods(found: pd.DataFrame) -> pd.DataFrame:
    """One row per method: error, and time in closed forms, for each number of bits."""
    told = [f"{row.relative_error:.3f} ({row.time_ratio:g})" for row in found.itertuples()]
    bits = found["weight_bits"].astype(str) + " bits: error (time)"
    named = pd.DataFrame({"method": _method(found), "bits": bits, "told": told})
    wide = named.pivot(index="method", columns="bits", values="told")
    order = [*dict.fromkeys(named["method"])], [*dict.fromkeys(bits)]
    return wide.loc[order].reset_index()


def best_methods(found: pd.DataFrame) -> pd.DataFrame:
    """For each number of bits the method of least error, and the closed form's on as many images.

    That is, as many as the methods by gradients have.
    """
    named = found.assign(name=_method(found))
    best = named.loc[named.groupby("weight_bits", sort=False)["relative_error"].idxmin()]
    images = named.loc[named["method"] != "ridge", "images"].iloc[0]
    closed = named[(named["method"] == "ridge") & (named["images"] == images)]
    return best.merge(
        closed[["weight_bits", "relative_error"]], on="weight_bits", suffixes=("", "_ridge")
    )


def _method(found: pd.DataFrame) -> "pd.Series[str]":
    of = found["images"].map(", {:,} images".format)
    rate = ", rate " + found["lr"].map("{:g}".format) + ", epochs: " + found["epochs"].astype(str)
    return found["method"].map(_METHODS) + of.where(found["method"] == "ridge", rate)


def _fits(network: pd.DataFrame) -> pd.DataFrame:
    """Fraction, P and fit of the rows of that factor, by their index."""
    values = network.loc[network["factor"] == "fit", "value"]
    return values.str.extract(r"(?P<fraction>[\d.]+) x (?P<P>[^:]+): (?P<fit>.+)")


def _title(network: pd.DataFrame) -> str:
    return _TITLES[network["network"].iloc[0]]
