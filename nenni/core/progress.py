"""How far long work is, for the person who waits."""

import sys
import time


class Progress:
    """Prints lines on standard error, with the time since it was made."""

    def __init__(self) -> None:
        self.started = time.perf_counter()

    def __call__(self, line: str) -> None:
        """Print a line."""
        elapsed = time.perf_counter() - self.started
        print(f"[{elapsed:7.1f} s] {line}", file=sys.stderr, flush=True)  # noqa: T201


class Left:
    """Estimates the time that is left from the parts that are done.

    Parameters
    ----------
    parts : int or None
        Their number; None if it is not known.
    done : int
        Parts that were done before, in a run that was stopped.
    """

    def __init__(self, parts: int | None, done: int = 0) -> None:
        self.parts, self.done = parts, done
        self.worked, self.begun = 0, time.perf_counter()

    def of(self) -> str:
        """How many are done, ``3/8``."""
        return f"{self.done}/{'?' if self.parts is None else self.parts}"

    def after(self) -> str:
        """A part is done: how many are, and the time that is left, ``3/8 (35 s left)``."""
        self.done += 1
        self.worked += 1
        if self.parts is None or self.done >= self.parts:
            return self.of()
        each = (time.perf_counter() - self.begun) / self.worked
        return f"{self.of()} ({duration((self.parts - self.done) * each)} left)"

    def skip(self) -> None:
        """A part was done before."""
        self.done += 1
        self.begun = time.perf_counter()


def duration(seconds: float) -> str:
    """A time as people say it: ``45 s``, ``12 min`` or ``3 h 5 min``."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
