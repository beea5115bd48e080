"""Tables of docs/sizes.md: jobs, passes and hours of the runs of the configs."""

import pandas as pd
from _words import percent

NO_DEVICE = "none"
"""Device of the rows that say jobs and passes alone."""
_DEFAULT = "config"
_CORES = 2
_ALL = 0.9995
"""A share of passes that is told as all."""
NOT_MEASURED = "not measured"


def sizes(found: pd.DataFrame) -> pd.DataFrame:
    """A row for each config, the smallest first: jobs, millions of passes, hours on each device."""
    whole = found[found["device"] == NO_DEVICE]
    devices = [device for device in dict.fromkeys(found["device"]) if device != NO_DEVICE]
    rows = []
    for config in _by_size(whole):
        here = whole[whole["config"] == config]
        passes = _passes(here).sum()
        row = {"config": f"`{config}`", "jobs": f"{here['jobs'].sum():,}"}
        row["million passes"] = f"{passes / 1e6:,.1f}"
        for device in sorted(devices, key=lambda name: not _is_cpu(name)):
            timed = found[(found["config"] == config) & (found["device"] == device)]
            row[_title(device)] = _hours(timed, device, passes)
        rows.append(row)
    return pd.DataFrame(rows)


def jobs(found: pd.DataFrame) -> pd.DataFrame:
    """A row for each rule, a column for each config."""
    whole = found[found["device"] == NO_DEVICE].assign(rule="`" + found["rule"] + "`")
    wide = whole.pivot(index="rule", columns="config", values="jobs").fillna(0).astype(int)
    wide = wide.loc[[*dict.fromkeys(whole["rule"])], _by_size(whole)]
    return wide.replace(0, "").reset_index()


def of_measured(found: pd.DataFrame, by_rule: pd.DataFrame, processor: str) -> str:
    """The estimate of the default run over what its jobs took, of the rules that are estimated."""
    here = found[(found["config"] == _DEFAULT) & found["hours"].notna()]
    here = here[here["device"].map(_is_cpu) & here["device"].str.startswith(f"{processor},")]
    if here.empty:
        return NOT_MEASURED
    took = by_rule[by_rule["rule"].isin(here["rule"])]["seconds"].sum()
    return f"{3600 * here['hours'].sum() / took:.2f} times"


def estimated_share(found: pd.DataFrame, by_rule: pd.DataFrame) -> str:
    """Share of the default run's seconds that the rules took that pass images and are estimated."""
    passed = found[found["forward_passes"].notna()]["rule"]
    took = by_rule.set_index("rule")["seconds"]
    return percent(took[took.index.isin(passed)].sum() / took.sum(), 0)


def _by_size(whole: pd.DataFrame) -> list[str]:
    passes = _passes(whole).groupby(whole["config"]).sum()
    return [str(config) for config in passes.sort_values(kind="stable").index]


def _hours(timed: pd.DataFrame, device: str, passes: float) -> str:
    if timed.empty:
        return NOT_MEASURED
    hours = timed["hours"].sum() / (_CORES if _is_cpu(device) else 1)
    share = (_passes(timed) * timed["rated"]).sum() / passes
    told = f"{hours:,.1f}" if hours >= 1 else f"{hours:.2f}"
    return told if share >= _ALL else f"{told} for {percent(share, 0)} of them"


def _passes(rows: pd.DataFrame) -> "pd.Series[float]":
    return rows.filter(like="_passes").sum(axis=1)


def _is_cpu(device: str) -> bool:
    return device.endswith("thread")


def _title(device: str) -> str:
    """What a column of hours is of."""
    if _is_cpu(device):
        return f"hours, {device.removesuffix(', one thread')}, {_CORES} cores"
    return f"hours, {device}"
