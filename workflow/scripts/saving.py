"""Where the saving comes from: BitOPs and energy saved, by precision, fraction and projection.

    python workflow/scripts/saving.py

Reads config/saving.yaml, writes results/reference/saving.csv, saving_energy.csv and
saving_verdict.csv beside it, and the tables of docs/saving.md.
Shapes come from the models themselves; the method is injected as `hwmodel.injected` does, with
expected non-zeros and nominal fractions.
"""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml
from _saving_verdicts import by_schedule, by_way, verdicts

import hwmodel
from hwmodel.crossover import at_bits
from hwmodel.metrics import METRICS, Metric
from hwmodel.reduction import BASELINES as REDUCED
from nenni.core.io import write_atomically, write_csv
from nenni.cost.describe import describe
from nenni.networks.architecture import Architecture
from nenni.networks.build import build

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config" / "saving.yaml"
PAGE = ROOT / "docs" / "saving.md"
TABLE = ROOT / "results" / "reference" / "saving.csv"
ENERGY_TABLE = TABLE.with_name("saving_energy.csv")
VERDICT_TABLE = TABLE.with_name("saving_verdict.csv")
BASELINES = {32: "fp32", 16: "fp16", 8: "int8"}


def main() -> None:
    """Count, and write table and page."""
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    found, energies, judged = count(config), energy_saved(config), verdicts_of(config)
    write_csv(TABLE, found)
    write_csv(ENERGY_TABLE, energies)
    write_csv(VERDICT_TABLE, judged)
    text = filled(PAGE.read_text(encoding="utf-8"), found, energies, judged)
    write_atomically(PAGE, lambda path: path.write_text(text, encoding="utf-8"))


def count(config: dict[str, Any]) -> pd.DataFrame:
    """One row per network, projection, bits of the exact path, fraction, baseline and metric."""
    rows = []
    table = hwmodel.load_energy_table(config["energy_table"])
    preset = hwmodel.load_preset(config["preset"])
    for name, model in config["networks"].items():
        plain = shapes(model, config["input_shape"], config["classes"])
        for projection in config["projections"]:
            for fraction in config["fractions"]:
                injected = hwmodel.injected(
                    plain, projection=projection, ratio=config["ratio"], fraction=fraction,
                    bits=config["bits"],
                    granularity=hwmodel.read_granularity(config["granularity"]),
                )  # fmt: skip
                rows_of_energy = hwmodel.energy(injected, table, preset)
                energy = {row.bits: row for row in rows_of_energy if row.layer == "total"}
                for bits in config["exact_bits"]:
                    for metric in config["metrics"]:
                        alone = totals(plain, bits, metric)
                        for baseline, row in totals(injected, bits, metric).items():
                            dense = energy[REDUCED[baseline]].dense
                            rows.append(
                                {"network": name, "projection": projection, "exact_bits": bits,
                                 "fraction": fraction, "baseline": baseline, "metric": metric,
                                 "without_overheads": row.reduction_without,
                                 "with_overheads": row.reduction_with,
                                 "by_precision": alone[baseline].reduction_with,
                                 "energy": 1 - energy[bits].injected.total_pj / dense.total_pj}
                            )  # fmt: skip
    return pd.DataFrame(rows)


def energy_saved(config: dict[str, Any]) -> pd.DataFrame:
    """Energy saved at equal precision, by network, platform, batch, granularity and fraction."""
    table, chosen = hwmodel.load_energy_table(config["energy_table"]), config["energy"]
    presets = {name: hwmodel.load_preset(name) for name in chosen["presets"]}
    rows = []
    for name, model in config["networks"].items():
        plain = shapes(model, config["input_shape"], config["classes"])
        settings = [
            hwmodel.Setting(
                preset=preset, projection=config["projections"][-1], ratio=config["ratio"],
                fraction=fraction, granularity=granularity, bits=config["bits"], exact_bits=bits,
                batch=batch,
            )
            for preset in presets
            for bits in config["exact_bits"]
            for batch in chosen["batches"]
            for granularity in chosen["granularities"]
            for fraction in chosen["fractions"]
        ]  # fmt: skip
        for found in hwmodel.sweep(plain, settings, presets, table):
            of = found.setting
            rows.append(
                {"network": name, "preset": of.preset, "bits": of.exact_bits, "batch": of.batch,
                 "granularity": of.granularity, "fraction": of.fraction,
                 "energy_saved": found.energy_saved, "speedup": found.speedup}
            )  # fmt: skip
    return pd.DataFrame(rows)


def verdicts_of(config: dict[str, Any]) -> pd.DataFrame:
    """The method beside its alternatives, on each platform."""
    networks = {
        name: shapes(model, config["input_shape"], config["classes"])
        for name, model in config["networks"].items()
    }
    return verdicts(networks, config)


def totals(network: hwmodel.Network, bits: int, metric: Metric) -> dict[str, hwmodel.Reduction]:
    """What the network saves, all of it at so many bits, by baseline."""
    layers = tuple(at_bits(layer, bits) for layer in network.layers)
    rows = hwmodel.reductions(network.model_copy(update={"layers": layers}), metric)
    chosen = [row for row in rows if row.layer == "total" and row.variant == "as_evaluated"]
    return {row.baseline: row for row in chosen}


def shapes(model: dict[str, Any], input_shape: list[int], classes: int) -> hwmodel.Network:
    """The layers of a plain network."""
    made = Architecture.read(Architecture(model, tuple(input_shape), classes), str(CONFIG))
    network = build(made)
    found = describe(network, torch.zeros(1, *input_shape))
    return hwmodel.Network.model_validate_json(json.dumps(found))


def filled(page: str, found: pd.DataFrame, energies: pd.DataFrame, judged: pd.DataFrame) -> str:
    """The page with each of its tables made again.

    ``<!-- table NETWORK BASELINE -->``, ``<!-- conventions FRACTION -->``, ``<!-- energy -->``,
    ``<!-- verdict NETWORK -->``, ``<!-- schedules -->``.
    """

    def verdict(match: re.Match[str]) -> str:
        return f"{match.group(1)}\n{by_way(judged, match.group(2))}\n<!-- end -->"

    def schedules(match: re.Match[str]) -> str:
        return f"{match.group(1)}\n{by_schedule(judged)}\n<!-- end -->"

    def table(match: re.Match[str]) -> str:
        network, baseline = match.group(2).rsplit(" ", 1)
        return f"{match.group(1)}\n{markdown(found, network, baseline)}\n<!-- end -->"

    def conventions(match: re.Match[str]) -> str:
        return f"{match.group(1)}\n{by_metric(found, float(match.group(2)))}\n<!-- end -->"

    def energy(match: re.Match[str]) -> str:
        return f"{match.group(1)}\n{by_granularity(energies)}\n<!-- end -->"

    page = re.sub(r"(<!-- verdict (.+?) -->)\n.*?<!-- end -->", verdict, page, flags=re.DOTALL)
    page = re.sub(r"(<!-- schedules -->)\n.*?<!-- end -->", schedules, page, flags=re.DOTALL)
    page = re.sub(r"(<!-- energy -->)\n.*?<!-- end -->", energy, page, flags=re.DOTALL)
    page = re.sub(r"(<!-- table (.+?) -->)\n.*?<!-- end -->", table, page, flags=re.DOTALL)
    pattern = r"(<!-- conventions (.+?) -->)\n.*?<!-- end -->"
    return re.sub(pattern, conventions, page, flags=re.DOTALL)


def by_granularity(energies: pd.DataFrame) -> str:
    """Energy saved, a column for each granularity and fraction."""
    columns = list(energies[["granularity", "fraction"]].drop_duplicates().itertuples(index=False))
    titles = [f"`{granularity}`, {fraction:.0%} exact" for granularity, fraction in columns]
    head = ["network", "platform", "bits", "batch", *titles]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    keys = ["network", "preset", "bits", "batch"]
    for key, group in energies.dropna().groupby(keys, sort=False):
        saved = group.set_index(["granularity", "fraction"])["energy_saved"]
        cells = [percent(saved[column]) for column in columns]
        lines.append(f"| {' | '.join([*map(str, key), *cells])} |")
    return "\n".join(lines)


def by_metric(found: pd.DataFrame, fraction: float) -> str:
    """What a tap-shared P saves by each convention at one fraction, overheads counted."""
    here = found[(found["fraction"] == fraction) & (found["projection"] == "ternary:shared")]
    lines = [
        "| network | exact path | against | product of the bits | sum | product and accumulators |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for (network, bits, baseline), group in here.groupby(
        ["network", "exact_bits", "baseline"], sort=False
    ):
        saved = group.set_index("metric")["with_overheads"]
        cells = [percent(saved[metric]) for metric in METRICS]
        if BASELINES[bits] == baseline or (bits, baseline) == (8, "fp32"):
            lines.append(
                f"| {network} | {BASELINES[bits].upper()} | {baseline.upper()} |"
                f" {' | '.join(cells)} |"
            )
    return "\n".join(lines)


def markdown(found: pd.DataFrame, network: str, baseline: str) -> str:
    """Rows of one network against one baseline."""
    here = found[(found["network"] == network) & (found["baseline"] == baseline)]
    here = here[here["metric"] == "product"]
    lines = [
        "| exact path | essential | by precision alone | without overheads | `ternary` |"
        " `ternary:shared` | energy, `ternary:shared` |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (bits, fraction), group in here.groupby(["exact_bits", "fraction"], sort=False):
        by = group.set_index("projection")
        cells = [
            BASELINES[bits].upper(),
            f"{fraction:.0%}",
            percent(by["by_precision"].iloc[0]),
            percent(by["without_overheads"]["ternary:shared"]),
            percent(by["with_overheads"]["ternary"]),
            percent(by["with_overheads"]["ternary:shared"]),
            percent(by["energy"]["ternary:shared"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def percent(share: float) -> str:
    """A share in per cent, a loss with its sign."""
    return f"{100 * share:.1f} %"


if __name__ == "__main__":
    main()
