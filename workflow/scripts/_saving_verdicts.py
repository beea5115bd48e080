"""Is the method worth building? For docs/saving.md: beside its alternatives, by schedule."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

import hwmodel
from hwmodel.comparison import Row
from hwmodel.described import AS_DESCRIBED
from hwmodel.sourced import Sourced

ORDERS = ("serial", "fused", "overlapped")
_BITS = 8


def verdicts(networks: dict[str, hwmodel.Network], config: dict[str, Any]) -> pd.DataFrame:
    """One row per network, platform, schedule and way: times as fast, energy saved, with ranges.

    Alternatives have no phases that could overlap: they stand under the platform's own schedule.

    Parameters
    ----------
    networks : dict
        Plain networks by name.
    config : dict
        The content of config/saving.yaml.
    """
    chosen, table = config["verdict"], hwmodel.load_energy_table(config["energy_table"])
    rows = []
    for name, plain in networks.items():
        injected = _injected(plain, config)
        for preset, batch in chosen["presets"].items():
            usual = hwmodel.load_preset(preset)
            for order, platform in _schedules(usual):
                own = order == usual.order
                compared = {
                    setting: hwmodel.compare(network, platform, table, batch).rows
                    for setting, network in injected.items()
                }
                where = {"network": name, "preset": preset, "batch": batch, "schedule": order}
                for way, row in _ways(compared, alternatives=own):
                    rows.append(where | {"own_schedule": own, "way": way} | _numbers(row))
    return pd.DataFrame(rows)


def _ways(compared: dict[str, tuple[Row, ...]], *, alternatives: bool) -> Iterator[tuple[str, Row]]:
    """The method in each setting, then the alternatives, which are the same in all."""
    for setting, rows in compared.items():
        yield f"{AS_DESCRIBED}, {setting}", rows[0]
    if alternatives:
        yield from ((row.name, row) for row in next(iter(compared.values()))[1:])


def _schedules(preset: hwmodel.Preset) -> Iterator[tuple[str, hwmodel.Preset]]:
    for order in ORDERS:
        assert isinstance(preset.schedule, Sourced)
        schedule = preset.schedule.model_copy(update={"value": order})
        yield order, preset.model_copy(update={"schedule": schedule})


def _injected(plain: hwmodel.Network, config: dict[str, Any]) -> dict[str, hwmodel.Network]:
    """Setting in words -> the network with the method in all inner layers, its exact path INT8."""
    return {
        words: hwmodel.injected(
            plain, projection=config["projections"][-1], ratio=config["ratio"],
            fraction=setting["fraction"], bits=config["bits"], exact_bits=_BITS,
            granularity=hwmodel.read_granularity(setting["granularity"]),
        )
        for words, setting in config["verdict"]["settings"].items()
    }  # fmt: skip


def _numbers(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {"lacks": row.lacks, "area": row.area}
    for name in ("speedup", "saved"):
        interval = getattr(row, name)
        for part in ("value", "low", "high"):
            found[f"{name}_{part}"] = None if interval is None else getattr(interval, part)
    for name, flips in (("turns_time", row.faster), ("turns_energy", row.thriftier)):
        found[name] = flips[0].assumption.name if flips else ""
    return found


def by_way(found: pd.DataFrame, network: str) -> str:
    """The ways to run a network on every platform, under its own schedule."""
    here = found[(found["network"] == network) & found["own_schedule"]]
    lines = [
        "| platform | way | times as fast | energy saved | area | turns time | turns energy |",
        "| --- | --- | ---: | ---: | ---: | --- | --- |",
    ]
    for row in here.astype(object).where(here.notna(), "").itertuples():
        where = f"{row.preset}, batch {row.batch}"
        if row.lacks:
            lines.append(f"| {where} | {row.way} | {row.lacks} | | | | |")
            continue
        speedup = f"{row.speedup_value:.2f} [{row.speedup_low:.2f}, {row.speedup_high:.2f}]"
        ends = (row.saved_value, row.saved_low, row.saved_high)
        saved = "{:.0f} % [{:.0f}, {:.0f}]".format(*(100 * end for end in ends))
        turns = " | ".join(f"`{key}`" if key else "" for key in (row.turns_time, row.turns_energy))
        lines.append(f"| {where} | {row.way} | {speedup} | {saved} | {row.area:.2f} | {turns} |")
    return "\n".join(lines)


def by_schedule(found: pd.DataFrame) -> str:
    """The method alone: times as fast, and energy saved, under each schedule."""
    here = found[found["way"].str.startswith(AS_DESCRIBED)]
    lines = [
        f"| network | platform | {AS_DESCRIBED} | " + " | ".join(ORDERS) + " |",
        "| --- | --- | --- |" + " ---: |" * len(ORDERS),
    ]
    keys = ["network", "preset", "batch", "way"]
    for (network, preset, batch, way), group in here.groupby(keys, sort=False):
        by = group.set_index("schedule")
        cells = [
            f"{by['speedup_value'][order]:.2f}, {100 * by['saved_value'][order]:.0f} %"
            for order in ORDERS
        ]
        setting = str(way).removeprefix(f"{AS_DESCRIBED}, ")
        lines.append(f"| {network} | {preset}, batch {batch} | {setting} | {' | '.join(cells)} |")
    return "\n".join(lines)
