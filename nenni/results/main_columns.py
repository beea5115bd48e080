"""Columns of the main table: the one place that names them, for titles to keep clear of."""

from collections.abc import Iterable, Iterator, Sequence

WHERE = ("base", "defence", "norm", "eps")
"""What a row is of, and where its columns are read."""
CLEAN = "clean"
"""Title of the accuracy on images that nobody attacked."""
BASELINES = ("fp32", "fp16", "int8")
BITOPS, LATENCY = "bitops_", "latency_"
"""What the columns of costs begin with."""
OF_COMPARISON = ("least", "suite_", "time_", "energy_", "training_")
"""What columns of the comparison begin with that the main table has none of."""
_OF_ACCURACY = ("", "_deviation", "_low", "_high", "_seeds", "_n")


def of_accuracy(title: str) -> list[str]:
    """Columns of an accuracy: mean, deviation, interval, each seed's value and number of images."""
    return [title + ending for ending in _OF_ACCURACY]


def titles_among(columns: Iterable[str]) -> list[str]:
    """Titles of the accuracies that a table has, in its order.

    A title has its mean, both ends of its interval and its number of images. What rows are of, and
    columns of costs and of a suite's attacks, are no titles whatever they are called.
    """
    found = list(columns)
    others = (BITOPS, LATENCY, *OF_COMPARISON[1:])
    known = {column for column in found if not column.startswith(others)} - {*WHERE}
    return [c for c in found if c in known and {f"{c}_low", f"{c}_high", f"{c}_n"} <= known]


def of_bitops(baseline: str, part: str, variant: str) -> str:
    """Column of a reduction of BitOPs against a baseline."""
    return f"{BITOPS}{baseline}_{part}{variant}"


def of_latency(preset: str) -> str:
    """Column of the time on a platform."""
    return LATENCY + preset


def clashes(titles: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Titles of attacks' columns that would overwrite others or pass for them, and why."""
    taken = [*WHERE, *of_accuracy(CLEAN)]
    owners = dict.fromkeys(taken, "the table")
    for title in titles:
        if title.startswith((BITOPS, LATENCY)):
            yield title, f"begins as the columns of costs do, which are {BITOPS}* and {LATENCY}*"
        if title.startswith(OF_COMPARISON):
            begin = ", ".join(f"{start}*" for start in OF_COMPARISON)
            yield title, f"begins as columns of the comparison do, which are {begin}"
        for column in of_accuracy(title):
            if owners.setdefault(column, f"'{title}'") != f"'{title}'":
                yield (
                    title,
                    f"makes the column '{column}', which {owners[column]} has; choose another "
                    f"title. Taken are: {', '.join(taken)}, {BITOPS}*, {LATENCY}*",
                )
                break
    for column in titles_among(owners):
        if column not in (CLEAN, *titles):
            why = f"with '{column}_high' and '{column}_n' makes '{column}' pass for a title"
            yield f"{column}_low", f"{why}; choose another"
