"""What of an injection a figure turns up and down."""

from collections.abc import Mapping
from typing import Any

from nenni.core.errors import UserError

AXES = {
    "bits": "bits of the approximation",
    "ratio": "ratio k/d of the projection",
    "fraction": "fraction of essential neurons",
    "pattern": "pattern N:M",
    "projection": "projection",
    "selection": "selection",
    "score": "what is ranked",
    "noise": "what the other neurons get",
}
Value = tuple[float, ...] | str
"""A number and what tells it, or a word."""


def turned(defence: str, injection: Mapping[str, Any], knob: str) -> Value:
    """The value of a knob, by which injections are ordered where it is a number.

    Parameters
    ----------
    defence : str
        Name of the defence, for the message.
    injection : mapping
        A whole one, as a config has it.
    knob : str
        One of `AXES`.

    Returns
    -------
    tuple or str
        The bits of the weights, k/d, or the share of essential neurons; of a pattern that share, N
        and M. A word for a projection, a selection, a score and a noise.

    Raises
    ------
    UserError
        If the injection has no such choice.
    """
    selection = injection["selection"]
    if knob == "bits":
        return (injection["weight_bits"],)
    if knob == "ratio":
        return (injection["projection"]["ratio"],)
    if knob == "fraction" and "fraction" in selection:
        return (selection["fraction"],)
    if knob == "pattern" and {"n", "m"} <= selection.keys():
        return selection["n"] / selection["m"], selection["n"], selection["m"]
    if knob in ("projection", "selection", "noise"):
        return str(injection[knob]["name"]).replace("_", " ")
    if knob == "score":
        return f"{injection['score']}, normalised" if injection["normalise"] else injection["score"]
    raise UserError(f"defence '{defence}' has no {AXES[knob]}")


def told(value: Value) -> str:
    """The value of a knob as a tick says it."""
    if isinstance(value, str):
        return value
    return f"{value[0]:g}" if len(value) == 1 else f"{value[1]}:{value[2]}"
