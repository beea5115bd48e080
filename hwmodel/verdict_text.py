"""Whether the method is worth building, on one screen."""

from collections.abc import Iterator, Mapping, Sequence

from hwmodel.assumptions import Value
from hwmodel.comparison import (
    Comparison,
    Deciding,
    Row,
)
from hwmodel.described import AS_DESCRIBED, REFERENCE_BITS
from hwmodel.network_spec import Network
from hwmodel.ranges import Flip, Interval
from hwmodel.report import heading
from hwmodel.text_table import format_table

_LAYERS = 5
_FLIPS = 3


def verdict(
    network: Network,
    name: str,
    compared: Comparison,
    batch: int = 1,
    accuracies: Mapping[str, float] | None = None,
) -> str:
    """The comparison as text: a sentence, the table, the layers that decide, what flips the sign.

    Parameters
    ----------
    network
        As read by `hwmodel.load`.
    name
        Of the platform.
    compared
        From `hwmodel.compare`.
    batch
        Inputs at once.
    accuracies
        Name of a row -> accuracy that was measured, in [0, 1]; the others were not.
    """
    sections = [
        f"{heading(network)}\nOn {name}, batch {batch}, against dense INT{REFERENCE_BITS}"
        f"{_run_at(compared)}: "
        f"{_milliseconds(compared.reference.seconds)} ms, "
        f"{_microjoules(compared.reference.pj)} uJ",
        "\n".join(sentences(compared)),
        _table(compared.rows, accuracies or {}),
        "In brackets the range over constants that have one, assumed or fitted: "
        + (_listed([each.name for each in compared.assumptions]) or "none has a range"),
    ]
    if compared.deciding:
        sections.append("Layers that decide\n" + _layers(compared.deciding[:_LAYERS], compared))
    return "\n\n".join(sections)


def _run_at(compared: Comparison) -> str:
    """Where the platform has no multipliers of the width."""
    bits = compared.run_bits
    return "" if bits == REFERENCE_BITS else f" (run at {bits} bits, the next that there are)"


def sentences(compared: Comparison) -> Iterator[str]:
    """What a designer should know first: the method at INT8, its rivals, what turns the sign."""
    method = judged(compared)
    if method is None:
        yield "No layer has an injection or another defence: there is nothing to build."
        return
    injected = compared.own[:1] == (AS_DESCRIBED,)
    if method.speedup is None or method.saved is None:
        what = "the method" if injected else method.name
        yield f"The platform cannot run {what}: {method.lacks}."
        return
    title = f"{method.name[0].upper()}{method.name[1:]}" if injected else method.name
    yield f"{title}. {worth(method)}"
    rivals = [row for row in compared.rows if row.name not in compared.own]
    better = [row.name for row in rivals if _beats(row, method)]
    yield (
        f"At least as fast and thrifty as it, and more so in one: {', '.join(better)}."
        if better
        else "No alternative that the platform can run is as fast and as thrifty."
    )
    yield _flipping("time", method.faster, "times as fast")
    yield _flipping("energy", method.thriftier, "of the energy saved")


def _beats(row: Row, method: Row) -> bool:
    """Whether a way is as good as the method in time and energy, and better in one."""
    if row.speedup is None or row.saved is None or method.speedup is None or method.saved is None:
        return False
    gains = row.speedup.value - method.speedup.value, row.saved.value - method.saved.value
    return min(gains) >= 0 and max(gains) > 0


def judged(compared: Comparison) -> Row | None:
    """The network's own row at the bits of the reference; None if there is nothing to build."""
    rows = {row.name: row for row in compared.rows}
    found = [rows[name] for name in compared.own if name in rows]
    return found[-1] if found else None


def worth(row: Row) -> str:
    """One sentence on time and energy: a gain, a loss, or open within the range."""
    assert row.speedup is not None
    assert row.saved is not None
    time = _answer(row.speedup, 1.0, "faster", "slower")
    energy = _answer(row.saved, 0.0, "less energy", "more energy")
    if time == "faster" and energy == "less energy":
        return "Worth building by this model: faster and less energy, within all ranges."
    if time == "slower" and energy == "more energy":
        return "Not worth building by this model: slower and more energy, within all ranges."
    return f"By this model: {time}; {energy}."


def _answer(interval: Interval, border: float, gain: str, loss: str) -> str:
    if interval.low > border:
        return gain
    if interval.high <= border:
        return loss
    side = gain if interval.value > border else loss
    return f"{side} as assumed, though the range holds both"


def _flipping(what: str, flips: Sequence[Flip], unit: str) -> str:
    if not flips:
        return f"No assumption by itself turns the sign of the {what}."
    told = "; ".join(
        f"{flip.assumption.name} = {_value(flip.end)} (taken: {_value(flip.assumption.value)}): "
        + (f"{flip.result:.2f} {unit}" if what == "time" else f"{100 * flip.result:.0f} % {unit}")
        for flip in flips[:_FLIPS]
    )
    return f"The sign of the {what} turns with {told}."


def _value(value: Value) -> str:
    if isinstance(value, bool | str):
        return str(value).lower()
    return f"{value:g}"


def _table(rows: Sequence[Row], accuracies: Mapping[str, float]) -> str:
    header = ("", "ms", "speed-up", "uJ", "energy saved", "area", "accuracy")
    body = []
    for row in rows:
        accuracy = "not measured"
        if row.name in accuracies:
            accuracy = f"{100 * accuracies[row.name]:.1f} %"
        if row.cost is None or row.speedup is None or row.saved is None:
            body.append((row.name, "-", f"- ({row.lacks})", "-", "-", "-", accuracy))
            continue
        speedup = "{:.2f} [{:.2f}, {:.2f}]".format(*_parts(row.speedup))
        saved = "{:.0f} % [{:.0f}, {:.0f}]".format(*(100 * part for part in _parts(row.saved)))
        body.append(
            (
                row.name, _milliseconds(row.cost.seconds), speedup, _microjoules(row.cost.pj),
                saved, "-" if row.area is None else f"{row.area:.2f}", accuracy,
            )
        )  # fmt: skip
    return format_table(header, body, text_columns=1)


def _parts(interval: Interval) -> tuple[float, float, float]:
    return interval.value, interval.low, interval.high


def _layers(deciding: Sequence[Deciding], compared: Comparison) -> str:
    header = ("layer", "alike", "ms gained", "of the dense time", "uJ gained")
    body = [
        (
            row.layer, str(row.count), f"{1e3 * row.seconds:+,.4f}",
            f"{100 * row.seconds / compared.reference.seconds:+.1f} %", f"{row.pj / 1e6:+,.2f}",
        )
        for row in deciding
    ]  # fmt: skip
    return format_table(header, body, text_columns=1)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _milliseconds(seconds: float) -> str:
    return _digits(1e3 * seconds)


def _microjoules(pj: float) -> str:
    return _digits(pj / 1e6)


def _digits(value: float) -> str:
    """Four of them, and thousands apart."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
