"""Tables of docs/results.md and docs/claims.md that are about claims."""

import pandas as pd
from _words import change, fewer, percent

from nenni.core import radius
from nenni.results.verdict import NOT_TESTED

FIRST = "abstract"
"""Certainty of the claims that the README shows."""
OF_DRAFT = "over_adversarial_training"
"""The claim of the first draft's reviews that the README shows beside them."""
_CITED = {
    "abstract": "its own abstract",
    "review": "reviews of it",
    "second-hand": "one review, whose numbers cannot be looked up",
}


def tested(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that something was measured for."""
    return table[table["verdict"] != NOT_TESTED]


def short(table: pd.DataFrame) -> pd.DataFrame:
    """What the paper's own abstract claims, by the first arm for each comparator."""
    here = tested(table)
    here = here[here["certainty"] == FIRST].drop_duplicates(["claim", "comparator"])
    return pd.DataFrame(
        {
            "the paper claims": _unquoted(here["text"]),
            "by": "`" + here["defence"] + "`",
            "against": here["comparator"],
            "measured": [measured(row) for _, row in here.iterrows()],
            "verdict": here["verdict"],
        }
    )


def of_draft(*tables: pd.DataFrame) -> pd.DataFrame:
    """What the first draft claims of adversarially trained networks, by each arm of some runs."""
    here = pd.concat([tested(table) for table in tables], ignore_index=True)
    here = here[here["claim"] == OF_DRAFT]
    same = ["architecture", "base", "defence", "control_base", "control"]
    here = here.drop_duplicates(same)
    return pd.DataFrame(
        {
            "network": here["architecture"],
            "by": "`" + here["defence"] + "`",
            "against": "`" + here["control"] + "`",
            "seeds": here["seeds"].astype(int),
            "measured": [measured(row) for _, row in here.iterrows()],
            "verdict": here["verdict"],
        }
    )


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Every row that was tested, with its reason."""
    here = tested(table)
    control = "`" + here["control_base"] + "/" + here["control"] + "`"
    against = here["comparator"] + (" (" + control + ")").fillna("")
    return pd.DataFrame(
        {
            "claim": "`" + here["claim"] + "`",
            "by": "`" + here["base"] + "/" + here["defence"] + "`",
            "against": against,
            "at": [_at(row) for _, row in here.iterrows()],
            "measured": [measured(row) for _, row in here.iterrows()],
            "each seed": [each_seed(row) for _, row in here.iterrows()],
            "verdict": here["verdict"],
            "why": here["reason"],
        }
    )


def untested(table: pd.DataFrame) -> pd.DataFrame:
    """What this run does not test, and what it lacks."""
    here = table[table["verdict"] == NOT_TESTED]
    found = here.groupby(["claim", "reason"], sort=False)["comparator"].unique()
    named = found.reset_index()
    return pd.DataFrame(
        {
            "claim": "`" + named["claim"] + "`",
            "against": named["comparator"].map(", ".join),
            "why": named["reason"],
        }
    )


def sources(table: pd.DataFrame) -> pd.DataFrame:
    """The texts, numbered."""
    here = table.drop_duplicates("source")
    return pd.DataFrame(
        {
            "text": range(1, len(here) + 1),
            "what it is": here["source"],
            "claims are cited from": here["certainty"].map(_CITED),
        }
    )


def texts(table: pd.DataFrame) -> pd.DataFrame:
    """Each claim with the number of the text that it is from, and how sure that is."""
    here = table.drop_duplicates("claim")
    numbers = {source: i + 1 for i, source in enumerate(table["source"].unique())}
    return pd.DataFrame(
        {
            "claim": "`" + here["claim"] + "`",
            "what is claimed": here["text"],
            "on": here["datasets"],
            "text": here["source"].map(numbers),
            "how sure": here["certainty"],
        }
    )


def arms(table: pd.DataFrame) -> pd.DataFrame:
    """Claims about accuracy by comparator: arms, their verdicts, the least and the most."""
    here = tested(table)
    here = here[(here["unit"] == "accuracy") & here["measured"].notna()]
    rows = []
    for (claim, comparator), group in here.groupby(["claim", "comparator"], sort=False):
        ordered = group.sort_values("measured", kind="stable")
        counted = group["verdict"].value_counts(sort=False)
        row = {"claim": f"`{claim}`", "against": comparator, "arms": len(group)}
        row |= {"verdicts": ", ".join(f"{n} {verdict}" for verdict, n in counted.items())}
        for name, end in (("the least", 0), ("the most", -1)):
            arm = ordered.iloc[end]
            row[name] = f"`{arm['base']}/{arm['defence']}` {measured(arm)}"
        rows.append(row)
    return pd.DataFrame(rows)


def measured(row: "pd.Series") -> str:
    """What was measured, in words."""
    if row["unit"] == "BitOPs":
        return fewer(row["measured"])
    return change(row["measured"], row["low"], row["high"])


def each_seed(row: "pd.Series") -> str:
    """Every seed's value in points, or in per cent of BitOPs where they differ."""
    values = [100 * float(part.partition(":")[2]) for part in row["values"].split()]
    shown = [f"{value:+.1f}" for value in values]
    return shown[0] if row["unit"] == "BitOPs" and len(set(shown)) == 1 else " ".join(shown)


def _at(row: "pd.Series") -> str:
    if row["unit"] == "BitOPs":
        return ""
    images = f"{int(row['n']):,} images"
    where = f"{row['evaluation']}, eps {radius.shown(row['eps'], row['norm'])}"
    return f"{where if row['eps'] else 'clean'}, {images}"


def _unquoted(texts: pd.Series) -> pd.Series:
    """Without what a text leaves open, which stands in brackets."""
    return texts.str.replace(r" \(.*\)$", "", regex=True)


def coverage(table: pd.DataFrame) -> pd.DataFrame:
    """The least share of intervals that hold the truth, by measure and number of seeds."""
    columns = {
        "interval": "as in the tables",
        "bootstrap": "bootstrap of seeds and images, as wide as t at least",
        "t": "t over the seeds",
        "images_alone": "images alone",
    }
    least = table.groupby(["measure", "seeds"], sort=False)[[*columns]].min()
    shown = least.map(percent).rename(columns=columns).reset_index()
    return shown.rename(columns={"measure": "of a", "seeds": "seeds"})


def repeats(table: pd.DataFrame) -> pd.DataFrame:
    """Verdicts on a claimed gain by what is true, with the seeds that a verdict needs."""
    here = table[table["seeds"] == table["seeds"].max()]
    shares = here.columns[list(here.columns).index("trials") + 1 :]
    points = {name: (100 * here[name]).map("{:+.1f}".format) for name in ("claimed", "true")}
    deviation = {"deviation of the seeds": (100 * here["deviation"]).map("{:.1f}".format)}
    return pd.DataFrame(points | deviation | {name: here[name].map(percent) for name in shares})


def conventions(table: pd.DataFrame) -> pd.DataFrame:
    """Conventions of BitOPs that give a figure at a share of exact neurons that a text names."""
    here = table[table["gives"].notna()]
    return pd.DataFrame(
        {
            "figure": here["claimed"].map(percent),
            "network": here["network"],
            "exact path": here["exact_bits"].map("{} bits".format),
            "against": here["baseline"].str.upper(),
            "approximation": here["approximation_bits"].map("{} bits".format),
            "k/d": here["ratio"].map("{:g}".format),
            "overheads": here["overheads"],
            "exact neurons": here["gives"],
        }
    )


def full_precision(table: pd.DataFrame) -> pd.DataFrame:
    """What an exact path at the baseline's own bits saves, at the bits and ratio of the configs."""
    here = table[(table["exact_bits"] == 32) & (table["baseline"] == "fp32")]
    here = here[(here["approximation_bits"] == 4) & (here["ratio"] == 0.125)]
    shares = [name.removeprefix("at_") for name in here.columns if name.startswith("at_")]
    cells = {
        f"{share} % exact": here[f"at_{share}"].map(percent)
        + " of "
        + here[f"limit_{share}"].map(lambda limit: percent(limit, 0))
        for share in shares
    }
    return pd.DataFrame(
        {
            "figure": here["claimed"].map(percent),
            "network": here["network"],
            "overheads": here["overheads"],
            **cells,
            "needs exact": here["share"].map(percent),
        }
    )
