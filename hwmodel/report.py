"""The tables of every layer as text for a terminal."""

from collections.abc import Sequence

from hwmodel.alike import grouped
from hwmodel.bitops import Term, count_operations, total_operations
from hwmodel.crossover import Crossover, crossovers
from hwmodel.energy_estimate import EnergyRow, energy
from hwmodel.energy_table import EnergyTable
from hwmodel.layer_latency import LayerLatency, latency
from hwmodel.metrics import Metric
from hwmodel.network_spec import Network
from hwmodel.preset import Preset
from hwmodel.reduction import Reduction, reductions
from hwmodel.sourced import Sourced
from hwmodel.text_table import format_table, microseconds, percent

COUNTED = {
    "product": "product of the bits",
    "sum": "sum of the bits",
    "accumulators": "product of the bits, and those of the sum",
}
_ASSUMED = ", as if the method were injected: nothing of this was evaluated"
_PARTS = ("arithmetic", "buffer", "memory")


def _two_digits(share: float | None) -> str:
    return "" if share is None else f"{share:.2f}"


def crossing(row: Crossover) -> str:
    """Share of essential neurons up to which the injection is faster."""
    if row.speedup is None:
        return "-"
    return "never" if row.fraction is None else f"{row.fraction:.3f}"


def operations_row(term: Term) -> list[str]:
    """A term of a layer, or of all."""
    values = (term.macs, term.additions, term.comparisons, term.roundings, term.bitops)
    return [term.layer, term.term, term.bits, *(f"{value:,.0f}" for value in values)]


def operations_table(terms: Sequence[Term], totals: Sequence[Term]) -> str:
    """Operations and BitOPs per layer and term, and their sums."""
    header = ("layer", "term", "bits", "MACs", "additions", "comparisons", "roundings", "BitOPs")
    return format_table(header, map(operations_row, [*terms, *totals]), text_columns=3)


def reductions_table(rows: Sequence[Reduction]) -> str:
    """Reductions per layer and in total, against every baseline."""
    header = ("layer", "exact path", "bits evaluated", "baseline", "without", "with overheads")
    body = [
        (
            row.layer,
            "as evaluated" if row.variant == "as_evaluated" else f"at {row.baseline}",
            "yes" if row.evaluated else "NO",
            row.baseline,
            percent(row.reduction_without),
            percent(row.reduction_with),
        )
        for row in rows
    ]
    return format_table(header, body, text_columns=4)


def latency_table(rows: Sequence[LayerLatency]) -> str:
    """Latency per layer and in total on one platform, in microseconds."""
    header = (
        "layer",
        "fp32",
        "fp16",
        "int8",
        "int4",
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
            microseconds(row.dense_fp32_s),
            microseconds(row.dense_fp16_s),
            microseconds(row.dense_int8_s),
            microseconds(row.dense_int4_s),
            microseconds(row.injected_s),
            microseconds(row.projection_s),
            microseconds(row.approximation_s),
            microseconds(row.selection_s),
            microseconds(row.exact_s),
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
            percent(row.reduction),
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
            microseconds(row.dense_s),
            microseconds(row.injected_s),
            "-" if row.speedup is None else f"{row.speedup:.2f}x",
            crossing(row),
        )
        for row in rows
    ]
    return format_table(header, body, text_columns=1)


def assumed_constants(preset: Preset) -> tuple[list[str], int]:
    """Names of the constants that are assumed, on which times thus rest; how many there are."""
    named = {name: getattr(preset, name) for name in type(preset).model_fields}
    for table in ("mac_per_cycle", "outputs_per_cycle"):
        named.update({f"{table}.{key}": value for key, value in getattr(preset, table).items()})
    if (array := preset.array) is not None:
        named.update({f"array.{name}": getattr(array, name) for name in type(array).model_fields})
    tags = {name: value.tag for name, value in named.items() if isinstance(value, Sourced)}
    return [name for name, tag in tags.items() if tag == "assumed"], len(tags)


def heading(network: Network) -> str:
    """What the tables are of, and what is in none of them."""
    shape = " x ".join(map(str, network.input_shape))
    injected = sum(layer.injection is not None for layer in network.layers)
    told = f"{network.model}, one input of {shape}" + (_ASSUMED if network.assumed else "")
    told += f"\n{len(network.layers)} layers, {injected} with an injection"
    if network.uncounted:
        told += "\nNOT COUNTED, though it reads parameters: " + ", ".join(
            f"{part.name or 'the model'} ({part.operator})" for part in network.uncounted
        )
    return told


def full_report(
    network: Network,
    presets: dict[str, Preset],
    table: EnergyTable,
    batch: int,
    metric: Metric,
) -> str:
    """All tables of every layer, with the conventions they rest on.

    Parameters
    ----------
    network
        As read by `hwmodel.load`.
    presets
        Platforms by name.
    table
        As read by `hwmodel.load_energy_table`.
    batch
        Inputs at once, of times and energies.
    metric
        What a multiply-accumulate counts in the BitOPs.
    """
    terms, totals = count_operations(network, metric), total_operations(grouped(network), metric)
    sections = [
        heading(network),
        "Operations, exact path at the bits of the file; BitOPs of a multiply-accumulate:"
        f" {COUNTED[metric]}\n" + operations_table(terms, totals),
        "Saved BitOPs (negative: a loss); 'without' counts the exact part and the approximation"
        " only,\n'with overheads' also projection, roundings, selection, mask and added noise\n"
        + reductions_table(reductions(network, metric)),
    ]
    sections += [
        f"Latency in microseconds of a batch of {batch} on {name}: {preset.description}\n"
        "assumed, neither measured nor from a data sheet: "
        f"{', '.join(assumed_constants(preset)[0]) or 'none'}\n"
        + latency_table(latency(network, preset, batch))
        + "\n\nAgainst dense at the same bits, and the share of essential neurons up to which the\n"
        "injection is faster\n"
        + crossover_table(crossovers(network, preset, batch))
        + f"\n\nEnergy in nanojoules of a batch of {batch} on {name}: {table.description}\n"
        + energy_table(energy(network, table, preset, batch))
        for name, preset in presets.items()
    ]
    return "\n\n".join(sections)
