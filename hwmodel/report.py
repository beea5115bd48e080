"""The tables as text for a terminal."""

from collections.abc import Iterable, Sequence

from hwmodel.bitops import Term
from hwmodel.crossover import Crossover
from hwmodel.energy_estimate import EnergyRow
from hwmodel.energy_table import EnergyTable
from hwmodel.layer_latency import LayerLatency
from hwmodel.layer_spec import Network
from hwmodel.metrics import Metric
from hwmodel.preset import Preset
from hwmodel.reduction import BASELINES, Reduction

_COUNTED = {
    "product": "product of the bits",
    "sum": "sum of the bits",
    "accumulators": "product of the bits, and those of the sum",
}
_ASSUMED = ", as if the method were injected: nothing of this was evaluated"
_PARTS = ("arithmetic", "buffer", "memory")


def format_table(header: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int) -> str:
    """Align rows under a header, the first `text_columns` to the left, the others to the right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = (
        [
            cell.ljust(width) if index < text_columns else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    )
    return "\n".join("  ".join(cells).rstrip() for cells in aligned)


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _microseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e6:,.2f}"


def _two_digits(share: float | None) -> str:
    return "" if share is None else f"{share:.2f}"


def _share(row: Crossover) -> str:
    if row.speedup is None:
        return "-"
    return "never" if row.fraction is None else f"{row.fraction:.3f}"


def _summed(terms: Sequence[Term]) -> list[list[str]]:
    """Rows for the sum of each term over layers, and for the sum of all."""
    names = list(dict.fromkeys(term.term for term in terms))
    groups = [(name, [term for term in terms if term.term == name]) for name in names]
    return [_term_cells("total", name, "", group) for name, group in [*groups, ("all", terms)]]


def _term_cells(layer: str, name: str, bits: str, terms: Sequence[Term]) -> list[str]:
    sums = (
        sum(term.macs for term in terms),
        sum(term.additions for term in terms),
        sum(term.comparisons for term in terms),
        sum(term.roundings for term in terms),
        sum(term.bitops for term in terms),
    )
    return [layer, name, bits, *(f"{value:,.0f}" for value in sums)]


def operations_table(terms: Sequence[Term]) -> str:
    """Operations and BitOPs per layer and term, and their sums."""
    header = ("layer", "term", "bits", "MACs", "additions", "comparisons", "roundings", "BitOPs")
    rows = [_term_cells(term.layer, term.term, term.bits, [term]) for term in terms]
    return format_table(header, rows + _summed(terms), text_columns=3)


def reductions_table(rows: Sequence[Reduction]) -> str:
    """Reductions per layer and in total, against every baseline."""
    header = ("layer", "exact path", "bits evaluated", "baseline", "without", "with overheads")
    body = [
        (
            row.layer,
            "as evaluated" if row.variant == "as_evaluated" else f"at {row.baseline}",
            "yes" if row.evaluated else "NO",
            row.baseline,
            _percent(row.reduction_without),
            _percent(row.reduction_with),
        )
        for row in rows
    ]
    return format_table(header, body, text_columns=4)


def latency_table(rows: Sequence[LayerLatency]) -> str:
    """Latency per layer and in total on one platform, in microseconds."""
    header = (
        "layer",
        *BASELINES,
        "injected",
        "projection",
        "approx.",
        "selection",
        "exact",
        "bound",
        "essential",
        "executed",
    )
    body = [
        (
            row.layer,
            _microseconds(row.dense_fp32_s),
            _microseconds(row.dense_fp16_s),
            _microseconds(row.dense_int8_s),
            _microseconds(row.injected_s),
            _microseconds(row.projection_s),
            _microseconds(row.approximation_s),
            _microseconds(row.selection_s),
            _microseconds(row.exact_s),
            row.bound,
            _two_digits(row.essential),
            _two_digits(row.executed),
        )
        for row in rows
    ]
    return format_table(header, body, text_columns=1)


def energy_table(rows: Sequence[EnergyRow]) -> str:
    """Energy per layer and in total at each width of the exact path, in nanojoules."""
    header = (
        "layer",
        "bits",
        "bits evaluated",
        *(f"{kind} {part}" for kind in ("dense", "injected") for part in _PARTS),
        "saved",
    )
    body = [
        (
            row.layer,
            str(row.bits),
            "yes" if row.evaluated else "NO",
            *(
                f"{getattr(energy, f'{part}_pj') / 1000:,.1f}"
                for energy in (row.dense, row.injected)
                for part in _PARTS
            ),
            _percent(row.reduction),
        )
        for row in rows
    ]
    return format_table(header, body, text_columns=3)


def crossover_table(rows: Sequence[Crossover]) -> str:
    """Speed-up and crossover per layer and in total at each width of the exact path."""
    header = ("layer", "bits", "dense", "injected", "speed-up", "wins below a share of")
    body = [
        (
            row.layer,
            str(row.bits),
            _microseconds(row.dense_s),
            _microseconds(row.injected_s),
            "-" if row.speedup is None else f"{row.speedup:.2f}x",
            _share(row),
        )
        for row in rows
    ]
    return format_table(header, body, text_columns=1)


def _assumed(preset: Preset) -> str:
    """Names of the constants that are assumed, on which the latency thus rests."""
    named = {name: getattr(preset, name) for name in type(preset).model_fields}
    for table in ("mac_per_cycle", "outputs_per_cycle"):
        named.update({f"{table}.{key}": value for key, value in getattr(preset, table).items()})
    if (array := preset.array) is not None:
        named.update({f"array.{name}": getattr(array, name) for name in type(array).model_fields})
    tagged = (name for name, value in named.items() if getattr(value, "tag", "") == "assumed")
    return ", ".join(tagged) or "none"


def full_report(
    network: Network,
    terms: Sequence[Term],
    reductions: Sequence[Reduction],
    latencies: Sequence[tuple[str, Preset, Sequence[LayerLatency], Sequence[Crossover]]],
    energies: tuple[EnergyTable, Sequence[EnergyRow]],
    batch: int,
    metric: Metric,
) -> str:
    """All tables, with the conventions they rest on.

    Parameters
    ----------
    network
        What they are about.
    terms, reductions
        Of the whole network.
    latencies
        Name, constants, rows and crossovers of each platform.
    energies
        The table and the rows.
    batch
        Inputs at once, of the latencies.
    metric
        What a multiply-accumulate counts in the BitOPs.
    """
    shape = " x ".join(map(str, network.input_shape))
    sections = [
        f"{network.model}, one input of {shape}" + (_ASSUMED if network.assumed else ""),
        "Operations, exact path at the bits of the file; BitOPs of a multiply-accumulate:"
        f" {_COUNTED[metric]}\n" + operations_table(terms),
        "Saved BitOPs (negative: a loss); 'without' counts the exact part and the approximation"
        " only,\n'with overheads' also projection, roundings, selection, mask and added noise\n"
        + reductions_table(reductions),
    ]
    sections += [
        f"Latency in microseconds of a batch of {batch} on {name}: {preset.description}\n"
        f"assumed, neither measured nor from a data sheet: {_assumed(preset)}\n"
        + latency_table(rows)
        + "\n\nAgainst dense at the same bits, and the share of essential neurons up to which the\n"
        "injection is faster\n" + crossover_table(crossings)
        for name, preset, rows, crossings in latencies
    ]
    table, rows = energies
    sections.append(f"Energy in nanojoules: {table.description}\n" + energy_table(rows))
    return "\n\n".join(sections)
