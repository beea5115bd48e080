"""What is wrong with a config, and where."""

from collections.abc import Iterable, Iterator

Problem = tuple[tuple[int | str, ...], str]
"""Place in the config, and what is wrong there."""


def unknown(names: Iterable[str], defined: Iterable[str], *loc: int | str) -> Iterator[Problem]:
    """Names that are not among those defined."""
    for name in names:
        if name not in defined:
            listed = ", ".join(defined) or "none is defined"
            yield loc, f"unknown name '{name}'; defined are: {listed}"
