"""Tables of docs/bench.md: what the scripts beside this file measured, as a reader wants it."""

import numpy as np
import pandas as pd
from _words import percent

from nenni.core import radius
from nenni.evaluation.statistics import difference_interval

_ABOVE = 0.05
"""A number that lies higher over its reference is not to be trusted."""
_OF_IMAGES = ["network", "n", "device"]
_SUITES = {"pgd_20": "PGD-20", "standard": "`standard`", "autoattack": "AutoAttack"}


def beside_autoattack(summary: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """One row per network: accuracies, the suite's above AutoAttack's, and shares of its costs."""
    rows = []
    for (network, n, device), here in summary.groupby(_OF_IMAGES, sort=False):
        by = here.set_index("suite")
        flags = images[(images[_OF_IMAGES] == [network, n, device]).all(axis=1)]
        spent = by[["forwards_per_image", "backwards_per_image", "seconds"]]
        share = spent.loc["standard"] / spent.loc["autoattack"]
        rows.append(
            {
                "network": network, "eps": radius.shown(by["eps"].iloc[0], "linf"), "n": n,
                "device": device, "clean": percent(by["clean"].iloc[0]),
                **{title: percent(by.loc[s, "accuracy"]) for s, title in _SUITES.items()},
                "above": _interval(flags["standard"] - flags["autoattack"]),
                "forward": f"{share.iloc[0]:.2f}", "backward": f"{share.iloc[1]:.2f}",
                "seconds": f"{share.iloc[2]:.2f}",
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _interval(differences: "pd.Series[float]") -> str:
    """The mean of paired differences in points, with its 95 % interval."""
    values = differences.to_numpy()
    low, high = difference_interval(values[None])
    return f"{100 * values.mean():.1f} ({100 * low:.1f} to {100 * high:.1f})"


def optimality(found: pd.DataFrame) -> pd.DataFrame:
    """One row per norm and attack, the nearest first; this project's are named in bold."""
    ordered = found.sort_values(["norm", "optimality"], ascending=[False, False], kind="stable")
    names = ordered["library"] + " " + ordered["attack"]
    return pd.DataFrame(
        {
            "norm": ordered["norm"].map({"linf": "L-inf", "l2": "L2"}),
            "attack": names.where(ordered["library"] != "nenni", "**" + names + "**"),
            "optimality": ordered["optimality"].map("{:.3f}".format),
            "near": ordered["within_1_percent"].map(percent),
            "forward": ordered["forwards"].map("{:.0f}".format),
            "backward": ordered["backwards"].map("{:.0f}".format),
        }
    )


def judged(study: pd.DataFrame) -> pd.DataFrame:
    """The study, with a word on each verdict: right, undecided or wrong."""
    honest, verdict = study["kind"] == "honest", study["verdict"]
    trusted = verdict.isin(["trustworthy", "weak"])
    right = (honest & (verdict == "trustworthy")) | (
        ~honest & ((verdict == "masked") | (trusted & (study["low"] <= _ABOVE)))
    )
    words = np.where(right, "right", np.where(verdict == "undecided", "undecided", "wrong"))
    return study.assign(judged=words, trusted=trusted)


def verdicts_right(study: pd.DataFrame) -> pd.DataFrame:
    """One row per number of images and kind: how many verdicts are right."""
    rows = []
    for (n, kind), here in judged(study).groupby(["n", "kind"]):
        counts = here["judged"].value_counts().reindex(["right", "undecided", "wrong"]).fillna(0)
        trusted = here[here["trusted"]].sort_values("low", kind="stable").tail(1)
        most = "; ".join(f"{100 * t.hidden:.1f} ({100 * t.low:.1f})" for t in trusted.itertuples())
        rows.append({"n": n, "kind": kind, **counts.astype(int), "trusted above": most})
    return pd.DataFrame(rows)


def verdicts(study: pd.DataFrame) -> pd.DataFrame:
    """One row per network, judged by most images."""
    here = judged(study)
    here = here[here["n"] == here["n"].max()]
    return pd.DataFrame(
        {
            "network": here["network"],
            "kind": here["kind"],
            "PGD-20": here["pgd_20"].map(percent),
            "`standard`": here["standard"].map(percent),
            "without the mask": here["reference"].map(percent).where(here["kind"] == "masked", ""),
            "verdict": here["verdict"],
            "strongest evidence": here["why"].fillna(""),
            "is": here["judged"],
        }
    )


def invariance(found: pd.DataFrame) -> pd.DataFrame:
    """One row per change, one column per network: flags that differ."""
    told = found["differ"].astype(str) + " of " + found["n"].astype(str)
    wide = found.assign(told=told).pivot(index="changed", columns="network", values="told")
    return wide.loc[[*dict.fromkeys(found["changed"])]].fillna("").reset_index()


def speed(found: pd.DataFrame) -> pd.DataFrame:
    """One row per network and call."""
    here = found[found["part"] == "all"]
    return pd.DataFrame(
        {
            "network": here["network"],
            "n": here["n"],
            "call": here["call"],
            "seconds per image": here["seconds_per_image"].map("{:.3f}".format),
            "forward": _whole(here["forwards_per_image"]),
            "backward": _whole(here["backwards_per_image"]),
            "over the passes": here["over_limit"].map("{:.1f}".format).replace("nan", ""),
        }
    )


def speed_parts(found: pd.DataFrame) -> pd.DataFrame:
    """Share of a call's seconds that each attack took, one column per call of each network."""
    whole = found[found["part"] == "all"].set_index(["network", "call"])["seconds_per_image"]
    parts = found[(found["part"] != "all") & (found["call"] != "evaluate")]
    keys = pd.MultiIndex.from_frame(parts[["network", "call"]])
    share = parts["seconds_per_image"].to_numpy() / whole.loc[keys].to_numpy()
    column = parts["network"] + ", " + parts["call"].str.replace("evaluate, ", "")
    named = parts.assign(share=[percent(s) for s in share], column=column)
    wide = named.pivot(index="part", columns="column", values="share").fillna("")
    order = [*dict.fromkeys(named["part"])], [*dict.fromkeys(named["column"])]
    return wide.loc[order].reset_index().rename(columns={"part": "attack"})


def attack_speed(found: pd.DataFrame) -> pd.DataFrame:
    """Time over the limit, one row per network."""
    wide = found.pivot(index="network", columns="what", values="over_limit")
    wide = wide.loc[[*dict.fromkeys(found["network"])], [*dict.fromkeys(found["what"])]]
    return wide.drop(columns="limit").map("{:.2f}".format).reset_index()


def published(found: pd.DataFrame, elsewhere: pd.DataFrame) -> pd.DataFrame:
    """What was measured here beside what others say of the same network and attack."""
    keys = ["network", "attack"]
    both = elsewhere.merge(found, on=keys, suffixes=("_there", ""), how="left", validate="1:1")
    there = both["low_there"].map(percent)
    high = both["high_there"].map(percent)
    there = there.where(there == high, there.str.removesuffix(" %") + " to " + high)
    images = " of " + both["n_there"].map("{:,}".format)
    return pd.DataFrame(
        {
            "network": both["network"],
            "eps": [radius.shown(eps, "linf") for eps in both["eps"]],
            "attack": both["attack"],
            "here": both["accuracy"].map(percent) + " of " + both["n"].map("{:,}".format),
            "elsewhere": there + images,
            "by": both["source"],
        }
    )


def _whole(passes: "pd.Series[float]") -> "pd.Series[str]":
    return passes.map("{:,.0f}".format).replace("nan", "")


AIM = 1.25
"""A step should take at most so many times its floor."""
AIM_RANKED, AIM_OTHERS, FLOOR_OF_AIMS = 2.5, 2.0, 1.14
"""On a GPU, times the plain network: where neurons are ranked and elsewhere, at this floor."""
AIM_MEMORY = 1.5
"""A training step should add at most so many times what it adds in the plain network."""
_RANKED = ("top-k", "random", "inverted", "oracle")
_STEPS = {"forward": "forward", "training_step": "training step", "pgd_step": "PGD step"}


def injected_speed(found: pd.DataFrame) -> pd.DataFrame:
    """One row per network and setting on a CPU: its steps over their floor."""
    found = found[_on_a_cpu(found)]
    what = [f"{step}_of_floor" for step in _STEPS]
    shown = found[what].map(lambda x: f"**{x:.2f}**" if x > AIM else f"{x:.2f}")
    shown = shown.set_axis([f"{title} / floor" for title in _STEPS.values()], axis=1)
    head = found[["device", "network", "setting"]].assign(floor=found["floor"].map("{:.2f}".format))
    return pd.concat([head, shown, _memory(found)], axis=1)


def gpu_speed(found: pd.DataFrame) -> pd.DataFrame:
    """One row per GPU, kind of passes and setting: its steps over the plain network's."""
    found = found[~_on_a_cpu(found)]
    aims = found["setting"].str.startswith(_RANKED).map({True: AIM_RANKED, False: AIM_OTHERS})
    aims = aims * found["floor"] / FLOOR_OF_AIMS
    table = found[["device", "passes", "network", "setting"]].assign(
        floor=found["floor"].map("{:.2f}".format)
    )
    for step, title in _STEPS.items():
        above = found[step] > aims
        shown = found[step].map("{:.2f}".format)
        table[title] = shown.where(~above, "**" + shown + "**")
        table[f"plain {title}, ms"] = found[f"plain_{step}_ms"].map("{:.1f}".format)
    return table.assign(memory=_memory(found))


def _memory(found: pd.DataFrame) -> "pd.Series[str]":
    return found["memory"].map(lambda x: f"**{x:.2f}**" if x > AIM_MEMORY else f"{x:.2f}")


def fgsm_rs_speed(found: pd.DataFrame) -> pd.DataFrame:
    """Images a second of each network and kind of passes."""
    shown = found.assign(
        images=found["images_a_second"].map("{:,}".format),
        deterministic=found["deterministic"].map({0: "no", 1: "yes"}),
    )
    kept = ["device", "network", "precision", "passes", "deterministic", "images"]
    return shown[kept].rename(columns={"images": "images a second"})


def _on_a_cpu(found: pd.DataFrame) -> "pd.Series[bool]":
    return found["device"].str.endswith("thread")


def injected_parts(found: pd.DataFrame, speed: pd.DataFrame) -> pd.DataFrame:
    """One row per setting whose forward pass misses the aim on a CPU, one column per part."""
    keys = ["network", "setting"]
    missed = speed[_on_a_cpu(speed) & (speed["forward_of_floor"] > AIM)][keys]
    named = missed.merge(found, on=keys).assign(share=lambda t: t["of_plain"].map("{:.2f}".format))
    wide = named.set_index([*keys, "part"])["share"].unstack(sort=False)
    return wide.reset_index()


def launches(found: pd.DataFrame) -> pd.DataFrame:
    """Launches and gigabytes of ResNet-18 with shared taps, beside the plain network's."""
    here = found[(found["network"] == "resnet18") & found["setting"].str.endswith(", shared taps")]
    table = pd.DataFrame({"selection": here["setting"].str.removesuffix(", shared taps")})
    for step, title in _STEPS.items():
        counts = here[[f"{step}_launches", f"plain_{step}_launches"]].to_numpy()
        table[f"{title}: launches"] = [f"{a} ({b})" for a, b in counts]
        sizes = here[[f"{step}_mb", f"plain_{step}_mb"]].to_numpy() / 1000
        table[f"{title}: GB"] = [f"{a:.1f} ({b:.1f})" for a, b in sizes]
    return table


def training_speed(found: pd.DataFrame) -> pd.DataFrame:
    """How fast each method trains: beside a plain loop, and beside its passes alone."""
    methods, precisions = {"fgsm_rs": "FGSM-RS"}, {"fp32": "FP32"}
    training = found["method"].replace(methods) + ", " + found["precision"].replace(precisions)
    compared = {
        "over_plain_fp32": "over the plain loop in FP32",
        "over_plain_same": "over the plain loop at the same precision",
        "of_floor": "of the floor",
    }
    ratios = found[[*compared]].map("{:.2f}".format).rename(columns=compared)
    return pd.concat([training.rename("training"), ratios], axis=1)


def run_times(found: pd.DataFrame) -> pd.DataFrame:
    """Seconds on the clock and of CPU."""
    return pd.DataFrame(
        {
            "what": found["what"],
            "seconds": found["seconds"].map("{:.1f}".format),
            "of CPU": found["cpu_seconds"].map("{:.1f}".format),
        }
    )


def run_times_by_rule(found: pd.DataFrame) -> pd.DataFrame:
    """Jobs and seconds of each rule, the largest first; those of under a second are left out."""
    here = found[found["seconds"] >= 1]
    return pd.DataFrame(
        {
            "rule": "`" + here["rule"] + "`",
            "jobs": here["jobs"],
            "seconds": here["seconds"].map("{:.0f}".format),
            "of all": (here["seconds"] / found["seconds"].sum()).map("{:.0%}".format),
        }
    )
