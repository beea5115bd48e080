"""The tables that the command line writes, each made when it is asked for."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from hwmodel import csv_output
from hwmodel.bitops import count_operations
from hwmodel.comparison import Comparison, compare
from hwmodel.crossover import crossovers, speedups
from hwmodel.described import REFERENCE_BITS
from hwmodel.energy_estimate import energy
from hwmodel.energy_table import EnergyTable
from hwmodel.layer_latency import latency
from hwmodel.metrics import Metric
from hwmodel.movement import movements
from hwmodel.network_spec import Network
from hwmodel.preset import Preset
from hwmodel.reduction import reductions
from hwmodel.roofline_points import points

Rows = TypeVar("Rows")


def tables(
    network: Network,
    presets: dict[str, Preset],
    table: EnergyTable,
    batch: int,
    metric: Metric,
) -> dict[str, Callable[[], str]]:
    """How each table is made, as CSV.

    Parameters
    ----------
    network
        As read by `hwmodel.load`.
    presets
        Platforms by name.
    table
        As read by `hwmodel.load_energy_table`.
    batch
        Inputs at once, of times, bytes and energy.
    metric
        What a multiply-accumulate counts in the BitOPs.
    """

    def on_each(of: Callable[[Network, Preset, int], Rows]) -> Iterator[tuple[str, Rows]]:
        return ((name, of(network, preset, batch)) for name, preset in presets.items())

    def compared() -> Iterator[tuple[str, Comparison]]:
        for name, preset in presets.items():
            if preset.run_bits(REFERENCE_BITS) is not None:
                yield name, compare(network, preset, table, batch)

    energies = ((name, energy(network, table, preset, batch)) for name, preset in presets.items())
    return {
        "operations": lambda: csv_output.operations_csv(count_operations(network, metric), metric),
        "reductions": lambda: csv_output.reductions_csv(reductions(network, metric), metric),
        "latency": lambda: csv_output.latency_csv(on_each(latency), batch),
        "energy": lambda: csv_output.energy_csv(energies, batch),
        "crossover": lambda: csv_output.crossover_csv(on_each(crossovers), batch),
        "speedup": lambda: csv_output.speedup_csv(on_each(speedups), batch),
        "roofline": lambda: csv_output.roofline_csv(on_each(points), batch),
        "traffic": lambda: csv_output.traffic_csv(on_each(movements), batch),
        "verdict": lambda: csv_output.verdict_csv(compared(), batch),
    }
