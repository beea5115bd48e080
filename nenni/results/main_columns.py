"""Columns of the main table: the one place that names them, for titles to keep clear of."""

from collections.abc import Iterable, Iterator

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


def of_bitops(baseline: str, part: str, variant: str) -> str:
    """Column of a reduction of BitOPs against a baseline."""
    return f"{BITOPS}{baseline}_{part}{variant}"


def of_latency(preset: str) -> str:
    """Column of the time on a platform."""
    return LATENCY + preset


def clashes(titles: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Titles of attacks' columns that would overwrite others, and why."""
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
