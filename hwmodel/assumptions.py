"""The constants of a platform and a technology that may be other than they are taken to be."""

from dataclasses import dataclass
from typing import TypeVar

from hwmodel.energy_table import EnergyTable
from hwmodel.preset import Preset, Schedule
from hwmodel.sourced import Flag, Ranged, constants
from hwmodel.validation import StrictModel

Value = float | int | bool | str
Model = TypeVar("Model", bound=StrictModel)


@dataclass(frozen=True, slots=True)
class Assumption:
    """A constant with a range.

    Attributes
    ----------
    of
        ``preset`` or ``energy``: in which of the two files it stands.
    key
        Its key there, such as ``("mac_per_cycle", "8")``.
    value
        As it is taken.
    ends
        Of its range, or what else it may be, without `value`.
    """

    of: str
    key: tuple[str, ...]
    value: Value
    ends: tuple[Value, ...]

    @property
    def name(self) -> str:
        """The key as it is written."""
        return ".".join(self.key)


def assumptions(preset: Preset, table: EnergyTable) -> list[Assumption]:
    """All constants that may be others: numbers with a range, unsure flags, other schedules."""
    found = []
    for of, model in (("preset", preset), ("energy", table)):
        for key, constant in constants(model):
            if isinstance(constant, Schedule) and constant.others:
                found.append(Assumption(of, key, constant.value, constant.others))
            if isinstance(constant, Flag) and constant.unsure:
                found.append(Assumption(of, key, constant.value, (not constant.value,)))
            if isinstance(constant, Ranged) and constant.low is not None:
                given = (constant.low, constant.high)
                ends = tuple(end for end in given if end not in (None, constant.value))
                if ends:
                    found.append(Assumption(of, key, constant.value, ends))
    return found


def assuming(
    preset: Preset, table: EnergyTable, values: dict[Assumption, Value]
) -> tuple[Preset, EnergyTable]:
    """The platform and the technology with other values for some constants."""
    for assumption, value in values.items():
        if assumption.of == "preset":
            preset = _changed(preset, assumption.key, value)
        else:
            table = _changed(table, assumption.key, value)
    return preset, table


def _changed(model: Model, key: tuple[str, ...], value: Value) -> Model:
    first, *rest = key
    held = getattr(model, first)
    if isinstance(held, dict):
        name, *inner = rest
        within = held[name]
        if inner:
            within = _changed(within, tuple(inner), value)
        else:
            within = within.model_copy(update={"value": value})
        changed = held | {name: within}
    elif rest:
        changed = _changed(held, tuple(rest), value)
    else:
        changed = held.model_copy(update={"value": value})
    return model.model_copy(update={first: changed})
