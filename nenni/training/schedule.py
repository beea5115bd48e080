"""What a schedule is."""

from collections.abc import Callable

Schedule = Callable[[int, int], float]
"""(step, steps) -> factor on a recipe's ``lr``; see :mod:`nenni.training.schedules`."""
