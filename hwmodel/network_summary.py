"""The network in total, on one screen."""

from collections.abc import Sequence
from dataclasses import dataclass

from hwmodel.alike import grouped
from hwmodel.bitops import total_operations
from hwmodel.crossover import Crossover, total_crossovers
from hwmodel.energy_estimate import EnergyRow, total_energy
from hwmodel.energy_table import EnergyTable
from hwmodel.layer_latency import LayerLatency, total_latency
from hwmodel.metrics import Metric
from hwmodel.network_spec import Network
from hwmodel.preset import Preset
from hwmodel.reduction import Reduction, total_reductions
from hwmodel.report import COUNTED, assumed_constants, crossing, heading, operations_row
from hwmodel.text_table import format_table, microseconds, percent

_OPERATIONS = ("term", "MACs", "additions", "comparisons", "roundings", "BitOPs")


@dataclass(frozen=True, slots=True)
class _Platform:
    """What a platform makes of the whole network."""

    name: str
    preset: Preset
    latency: LayerLatency
    crossovers: Sequence[Crossover]
    energies: Sequence[EnergyRow]


def summary(
    network: Network,
    presets: dict[str, Preset],
    table: EnergyTable,
    batch: int = 1,
    metric: Metric = "product",
) -> str:
    """Operations, BitOPs saved, times and energy of the whole network, and what they rest on.

    Parameters
    ----------
    network
        As read by `hwmodel.load`.
    presets
        Platforms by name.
    table
        As read by `hwmodel.load_energy_table`.
    batch
        Inputs at once, of times and energy.
    metric
        What a multiply-accumulate counts in the BitOPs.
    """
    parts = grouped(network)
    platforms = [
        _Platform(
            name, preset, total_latency(parts, preset, batch),
            total_crossovers(parts, preset, batch), total_energy(parts, table, preset, batch),
        )
        for name, preset in presets.items()
    ]  # fmt: skip
    operations = [operations_row(row)[1:2] + operations_row(row)[3:]
                  for row in total_operations(parts, metric)]  # fmt: skip
    sections = [
        heading(network),
        f"Operations of one input, BitOPs of a multiply-accumulate: {COUNTED[metric]}\n"
        + format_table(_OPERATIONS, operations, text_columns=1),
        "Saved BitOPs, exact path as evaluated / at the baseline's bits (negative: a loss)\n"
        + _reductions(total_reductions(parts, metric)),
        f"Microseconds of a batch of {batch}\n" + _times(platforms),
        "Against dense at the same bits; energy by the table of " + f"{table.description}\n"
        + _gains(platforms),
        "--layers prints every layer; --operations, --latency and so on write CSV.",
    ]  # fmt: skip
    return "\n\n".join(sections)


def _reductions(rows: Sequence[Reduction]) -> str:
    header = ("baseline", "without overheads", "with", "bits evaluated")
    by = {(row.baseline, row.variant): row for row in rows}
    body = []
    for baseline in dict.fromkeys(row.baseline for row in rows):
        pair = by[baseline, "as_evaluated"], by[baseline, "exact_at_baseline"]
        body.append(
            (
                baseline,
                " / ".join(percent(row.reduction_without) for row in pair),
                " / ".join(percent(row.reduction_with) for row in pair),
                " / ".join("yes" if row.evaluated else "NO" for row in pair),
            )
        )
    return format_table(header, body, text_columns=1)


def _times(platforms: Sequence[_Platform]) -> str:
    header = (
        "platform", "fp32", "fp16", "int8", "int4", "injected", "projection", "approx.",
        "selection", "exact", "constants assumed",
    )  # fmt: skip
    body = []
    for platform in platforms:
        row, (assumed, constants) = platform.latency, assumed_constants(platform.preset)
        times = (
            row.dense_fp32_s, row.dense_fp16_s, row.dense_int8_s, row.dense_int4_s, row.injected_s,
            row.projection_s, row.approximation_s, row.selection_s, row.exact_s,
        )  # fmt: skip
        cells = map(microseconds, times)
        body.append((platform.name, *cells, f"{len(assumed)} of {constants}"))
    return format_table(header, body, text_columns=1)


def _gains(platforms: Sequence[_Platform]) -> str:
    header = (
        "platform", "bits", "speed-up", "faster up to a share of", "dense uJ", "injected uJ",
        "energy saved",
    )  # fmt: skip
    body = []
    for platform in platforms:
        energies = {row.bits: row for row in platform.energies}
        for row in platform.crossovers:
            energy = energies.get(row.bits)
            joules = ("-", "-", "-")
            if energy is not None:
                dense, injected = (e.total_pj / 1e6 for e in (energy.dense, energy.injected))
                joules = (f"{dense:,.1f}", f"{injected:,.1f}", percent(energy.reduction))
            if row.speedup is None and energy is None:
                continue  # the platform lacks the precision
            speedup = "-" if row.speedup is None else f"{row.speedup:.2f}x"
            body.append((platform.name, str(row.bits), speedup, crossing(row), *joules))
    return format_table(header, body, text_columns=1)
