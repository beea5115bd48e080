"""The tables as CSV, written atomically and with deterministic bytes."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from hwmodel.bitops import Term
from hwmodel.comparison import Comparison
from hwmodel.cost_by_level import LevelCost
from hwmodel.crossover import Crossover, Speedup
from hwmodel.energy_estimate import EnergyRow
from hwmodel.layer_latency import LayerLatency
from hwmodel.metrics import Metric
from hwmodel.movement import Movement
from hwmodel.ranges import Flip, Interval
from hwmodel.reduction import Reduction
from hwmodel.roofline_points import Point

Cell = str | bool | float | None
Row = LayerLatency | Crossover | Speedup | Point | Movement
"""What is known per platform."""

OPERATION_COLUMNS = (
    "layer",
    "term",
    "macs",
    "additions",
    "comparisons",
    "roundings",
    "bits",
    "bitops",
    "metric",
)
REDUCTION_COLUMNS = (
    "layer",
    "baseline",
    "variant",
    "evaluated",
    "dense_bitops",
    "bitops_without",
    "bitops_with",
    "reduction_without",
    "reduction_with",
    "metric",
)
LATENCY_COLUMNS = (
    "layer",
    "preset",
    "batch",
    "dense_fp32_s",
    "dense_fp16_s",
    "dense_int8_s",
    "dense_int4_s",
    "injected_s",
    "projection_s",
    "approximation_s",
    "selection_s",
    "exact_s",
    "bound",
    "essential",
    "executed",
)
ENERGY_COLUMNS = (
    "layer",
    "preset",
    "batch",
    "bits",
    "evaluated",
    "dense_arithmetic_pj",
    "dense_buffer_pj",
    "dense_memory_pj",
    "injected_arithmetic_pj",
    "injected_buffer_pj",
    "injected_memory_pj",
    "reduction",
)
CROSSOVER_COLUMNS = (
    "layer",
    "preset",
    "batch",
    "bits",
    "dense_s",
    "injected_s",
    "speedup",
    "fraction",
)
SPEEDUP_COLUMNS = ("layer", "preset", "batch", "bits", "fraction", "speedup")
ROOFLINE_COLUMNS = (
    "layer",
    "preset",
    "batch",
    "phase",
    "run_bits",
    "macs_per_byte",
    "macs_per_s",
    "peak_macs_per_s",
    "bandwidth_bytes_per_s",
    "utilisation",
    "cycles",
)
TRAFFIC_COLUMNS = (
    "layer",
    "preset",
    "batch",
    "phase",
    "memory_weights",
    "memory_inputs",
    "memory_outputs",
    "array_weights",
    "array_inputs",
    "array_outputs",
)
LEVEL_COLUMNS = ("layer", "phase", "source", "batch", "cycles", "level", "pj")


VERDICT_COLUMNS = (
    "way",
    "preset",
    "batch",
    "seconds",
    "pj",
    "speedup",
    "speedup_low",
    "speedup_high",
    "energy_saved",
    "energy_saved_low",
    "energy_saved_high",
    "area",
    "turns_time",
    "turns_energy",
    "lacks",
)


def format_cell(value: Cell) -> str:
    """Text of a cell: whole numbers without a point, other numbers by ``repr``, None empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def format_csv(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """One table as CSV text, its lines ended by a line feed alone."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([format_cell(cell) for cell in row] for row in rows)
    return buffer.getvalue()


def _cells(row: object, columns: Iterable[str]) -> list[Cell]:
    return [getattr(row, column) for column in columns]


def operations_csv(terms: Iterable[Term], metric: Metric) -> str:
    """Operations and BitOPs by one convention, a row per layer and term."""
    rows = ([*_cells(term, OPERATION_COLUMNS[:-1]), metric] for term in terms)
    return format_csv(OPERATION_COLUMNS, rows)


def reductions_csv(reductions: Iterable[Reduction], metric: Metric) -> str:
    """Reductions by one convention, a row per layer, baseline and variant."""
    rows = ([*_cells(row, REDUCTION_COLUMNS[:-1]), metric] for row in reductions)
    return format_csv(REDUCTION_COLUMNS, rows)


def latency_csv(latencies: Iterable[tuple[str, Sequence[LayerLatency]]], batch: int) -> str:
    """Latencies, a row per preset and layer; `latencies` pairs a preset's name with its rows."""
    return _by_preset(LATENCY_COLUMNS, latencies, batch)


def energy_csv(energies: Iterable[tuple[str, Sequence[EnergyRow]]], batch: int) -> str:
    """Energies, a row per preset, layer and bits of the exact path; pairs as above."""
    cells = (
        (
            row.layer,
            name,
            batch,
            row.bits,
            row.evaluated,
            *(
                getattr(energy, part)
                for energy in (row.dense, row.injected)
                for part in ("arithmetic_pj", "buffer_pj", "memory_pj")
            ),
            row.reduction,
        )
        for name, rows in energies
        for row in rows
    )
    return format_csv(ENERGY_COLUMNS, cells)


def crossover_csv(crossovers: Iterable[tuple[str, Sequence[Crossover]]], batch: int) -> str:
    """Crossovers, a row per preset, layer and bits; pairs a preset's name with its rows."""
    return _by_preset(CROSSOVER_COLUMNS, crossovers, batch)


def speedup_csv(speedups: Iterable[tuple[str, Sequence[Speedup]]], batch: int) -> str:
    """Speed-ups, a row per preset, layer and share; pairs a preset's name with its rows."""
    return _by_preset(SPEEDUP_COLUMNS, speedups, batch)


def roofline_csv(points: Iterable[tuple[str, Sequence[Point]]], batch: int) -> str:
    """Points under the roofs, a row per preset, layer and product; pairs as above."""
    return _by_preset(ROOFLINE_COLUMNS, points, batch)


def traffic_csv(movements: Iterable[tuple[str, Sequence[Movement]]], batch: int) -> str:
    """Bytes at each level, a row per preset, layer and phase; pairs as above."""
    return _by_preset(TRAFFIC_COLUMNS, movements, batch)


def levels_csv(costs: Iterable[LevelCost], batch: int) -> str:
    """Energies by level, a row per source, layer, phase and level."""
    cells = (
        (row.layer, row.phase, row.source, batch, row.cycles, row.level, row.pj) for row in costs
    )
    return format_csv(LEVEL_COLUMNS, cells)


def verdict_csv(compared: Iterable[tuple[str, Comparison]], batch: int) -> str:
    """Ways to run the network, a row per preset and way; pairs as above.

    ``turns_time`` and ``turns_energy`` name the assumption that most turns the sign by itself.
    """
    cells = (
        [
            row.name, name, batch, *(_cells(row.cost, ("seconds", "pj")) if row.cost else _NOTHING),
            *_interval(row.speedup), *_interval(row.saved), row.area, _first(row.faster),
            _first(row.thriftier), row.lacks,
        ]
        for name, comparison in compared
        for row in comparison.rows
    )  # fmt: skip
    return format_csv(VERDICT_COLUMNS, cells)


_NOTHING: tuple[Cell, Cell] = (None, None)


def _interval(interval: Interval | None) -> tuple[Cell, Cell, Cell]:
    return (None,) * 3 if interval is None else (interval.value, interval.low, interval.high)


def _first(flips: Sequence[Flip]) -> str:
    return flips[0].assumption.name if flips else ""


def _by_preset(
    columns: Sequence[str], tables: Iterable[tuple[str, Sequence[Row]]], batch: int
) -> str:
    """`batch` is the inputs at once that the times and bytes are of."""
    rows = (
        [row.layer, name, batch, *_cells(row, columns[3:])]
        for name, preset_rows in tables
        for row in preset_rows
    )
    return format_csv(columns, rows)


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that readers see the old content or the new one, never a part.

    Parameters
    ----------
    path
        Of a file in an existing folder.
    text
        Its content, stored as UTF-8.

    Raises
    ------
    OSError
        If it cannot be written; no temporary file is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _write_through(temporary, path, text)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _write_through(temporary: Path, path: Path, text: str) -> None:
    with temporary.open("w", encoding="utf-8", newline="") as stream:
        try:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink()
            raise
