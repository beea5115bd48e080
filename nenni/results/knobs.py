"""What of an injection a figure turns up and down."""

from collections.abc import Mapping
from typing import Any

from nenni.core.errors import UserError

AXES = {
    "bits": "bits of the approximation",
    "ratio": "ratio k/d of the projection",
    "fraction": "fraction of essential neurons",
    "pattern": "pattern N:M",
}


def turned(defence: str, injection: Mapping[str, Any], knob: str) -> tuple[float, ...]:
    """The value of a knob, by which injections are ordered.

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
    tuple
        The bits of the weights, k/d, or the share of essential neurons; of a pattern that share, N
        and M.

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
    raise UserError(f"defence '{defence}' has no {AXES[knob]}")


def told(value: tuple[float, ...]) -> str:
    """The value of a knob as a tick says it."""
    return f"{value[0]:g}" if len(value) == 1 else f"{value[1]}:{value[2]}"
