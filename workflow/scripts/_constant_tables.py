"""Tables of docs/constants.md: where each constant of the hardware model comes from."""

import pandas as pd

import hwmodel
from hwmodel.sourced import Sourced, constants
from hwmodel.validation import StrictModel

_NO = "no"
_TAGS = ("measured", "data sheet", "assumed", "chosen")
_NOTHING = {"chosen", "measured"}
"""Tags that need no document."""


def files() -> dict[str, StrictModel]:
    """Every preset and energy table by its path in the package."""
    presets = {f"presets/{n}.toml": hwmodel.load_preset(n) for n in hwmodel.preset_names()}
    tables = {
        f"energy_tables/{n}.toml": hwmodel.load_energy_table(n)
        for n in hwmodel.energy_table_names()
    }
    return presets | tables


def listed(model: StrictModel) -> pd.DataFrame:
    """Every constant of a file."""
    return pd.DataFrame(
        {"constant": f"`{'.'.join(key)}`", "value": _shown(one.value), "range": _range(one),
         "tag": one.tag, "read": _read(one), "source": one.source}
        for key, one in constants(model)
    )  # fmt: skip


def counted(held: dict[str, StrictModel]) -> pd.DataFrame:
    """How many constants of each file have which tag, and of which the source was read."""
    rows = []
    for name, model in held.items():
        found = [(one.tag, _read(one)) for _, one in constants(model)]
        cited = [(tag, read) for tag, read in found if read]
        rows.append(
            {"file": f"`{name}`", "constants": len(found),
             **{tag: sum(t == tag for t, _ in found) for tag in _TAGS},
             "document read": sum(read == "document" for _, read in cited),
             "a quotation of it": sum(read == "quotation" for _, read in cited),
             "neither": sum(read == _NO for _, read in cited)}
        )  # fmt: skip
    return pd.DataFrame(rows)


def _read(one: Sourced) -> str:
    return one.seen or ("" if one.tag in _NOTHING else _NO)


def _range(one: Sourced) -> str:
    if getattr(one, "low", None) is not None:
        return f"{_shown(one.low)} to {_shown(one.high)}"
    if getattr(one, "unsure", False):
        return f"or {_shown(not one.value)}"
    return "".join(f"or {other} " for other in getattr(one, "others", ())).strip()


def _shown(value: bool | float | str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:.8g}"
