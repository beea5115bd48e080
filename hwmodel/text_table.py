"""Tables as text for a terminal."""

from collections.abc import Iterable, Sequence


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


def percent(share: float) -> str:
    """A share in per cent."""
    return f"{100 * share:.2f} %"


def microseconds(seconds: float | None) -> str:
    """A time; a dash where it is unknown."""
    return "-" if seconds is None else f"{seconds * 1e6:,.2f}"
