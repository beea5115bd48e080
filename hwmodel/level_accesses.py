"""Bytes that each memory on the chip gives and takes, from the multipliers to the outer memory.

An operand passes the levels that hold it, inner to outer. What enters a level from outside is the
operand once, or as often as `hwmodel.loops` has it where the level's share for it is too small; the
outermost takes what crosses the memory. Inputs and weights: a level writes what enters it, into as
many multipliers as share a number where each has its own, and reads what enters the next inner one.
The innermost gives a number to each multiply-accumulate, or, where it is not at the multipliers,
to all that share it at once. Sums: a level takes what the next inner one hands out, and gives back
all of it but the first; each multiply-accumulate takes and gives one where they are kept at the
multipliers.

The order of the loops is an array's own, else that of the six with the least energy. What phases
keep on the chip is written and read at the outermost level alone.

Source: NENNI cost protocol; counts by level as in Timeloop (Parashar et al., ISPASS 2019, section
V) and ZigZag (Mei et al., IEEE Trans. Computers 2021, section 3), for a tile of one size.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from hwmodel.energy_table import EnergyTable, Level
from hwmodel.loops import AGAIN, ORDERS, Need, Operand, Order, Unrolled, needs, systolic
from hwmodel.phase import Phase
from hwmodel.preset import Preset
from hwmodel.rates import Work
from hwmodel.refetch import SUM_BYTES
from hwmodel.traffic import Traffic

_ALL_ORDERS: tuple[Order, ...] = tuple((a, b, c) for a, b, c in permutations(AGAIN.values()))
_OUT: dict[Operand, str] = {"inputs": "inputs", "weights": "weights", "sums": "outputs"}


@dataclass(frozen=True, slots=True)
class Access:
    """Bytes of one operand at one level, for one batch."""

    level: str
    operand: Operand
    read: float
    written: float


def level_pj(accesses: Sequence[Access], levels: Mapping[str, Level]) -> float:
    """Energy of accesses."""
    return sum(
        access.read * levels[access.level].read_pj_per_byte.value
        + access.written * levels[access.level].write_pj_per_byte.value
        for access in accesses
    )


def unrolled_of(preset: Preset) -> Unrolled:
    """What a platform computes at once: an array, a box, or a tile of neurons."""
    if (array := preset.array) is not None:
        return systolic(array.rows.value, array.columns.value, array.dataflow.value)
    if (box := preset.unrolled) is not None:
        return Unrolled(box.positions.value, box.neurons.value, box.channels.value)
    return Unrolled(positions=1, neurons=preset.tile_outputs.value, depth=1)


def level_accesses(phase: Phase, preset: Preset, table: EnergyTable) -> list[Access]:
    """Accesses of a phase at every level of a table, that of least energy.

    Parameters
    ----------
    phase, preset
        As `hwmodel.roofline` has them.
    table
        With levels.
    """
    levels = table.levels or {}
    if phase.work is None or not phase.work.gathered.macs:
        return list(_passing(phase.moved + phase.kept, levels))
    orders = _ALL_ORDERS
    if preset.array is not None:
        orders = (ORDERS[preset.array.dataflow.value],)
    sum_bytes = SUM_BYTES if table.sum_bytes is None else table.sum_bytes.value
    made = _Products(phase, phase.work, unrolled_of(preset), sum_bytes)
    ways = ([a for operand in AGAIN for a in made.accesses(operand, levels, o)] for o in orders)
    return min(ways, key=lambda way: level_pj(way, levels))


def _passing(moved: Traffic, levels: Mapping[str, Level]) -> Iterator[Access]:
    for operand, chain in _chains(levels).items():
        amount = getattr(moved, _OUT[operand])
        if chain and amount:
            yield Access(chain[-1], operand, amount, amount)


def _chains(levels: Mapping[str, Level]) -> dict[Operand, list[str]]:
    return {of: [name for name, level in levels.items() if of in level.holds] for of in AGAIN}


@dataclass(frozen=True, slots=True)
class _Products:
    phase: Phase
    work: Work
    unrolled: Unrolled
    sum_bytes: float

    def accesses(
        self, operand: Operand, levels: Mapping[str, Level], order: Order
    ) -> Iterator[Access]:
        """Of one operand, inner to outer."""
        chain = _chains(levels)[operand]
        need = needs(self.work.gathered, self.unrolled, order)[operand]
        below = self._demand(operand, chain, levels)
        for name in chain:
            level, outermost = levels[name], name == chain[-1]
            times = self._times(operand, level, need)
            if operand == "sums":
                up = self._crossing(operand) if outermost else times * self._once(operand)
                down = self.phase.spilled if outermost else (times - 1) * self._once(operand)
                given_back = max(0.0, below - self._once(operand))
                yield Access(name, operand, read=given_back + up, written=below + down)
                below = up
                continue
            entering = self._crossing(operand) if outermost else times * self._once(operand)
            entering = min(entering, below) if not outermost else entering
            copies = self._shared(operand) if level.at_multipliers else 1
            yield Access(name, operand, read=below, written=entering * copies)
            below = entering

    def _demand(self, operand: Operand, chain: Sequence[str], levels: Mapping[str, Level]) -> float:
        """Bytes between the multipliers and the innermost level."""
        wide = self._width(operand)
        if chain and levels[chain[0]].at_multipliers:
            return wide * self.work.macs
        turns = self.unrolled.turns(self.work.gathered)
        return turns[AGAIN[operand]] * self._once(operand)

    def _times(self, operand: Operand, level: Level, need: Need) -> int:
        if level.capacity_bytes is None:
            return 1
        room = level.capacity_bytes.value / len(level.holds)
        if level.at_multipliers:
            room /= self._shared(operand)
        one_by_one = self.work.product.count * self.work.times
        fits = need.share * self._once(operand) / one_by_one <= room
        return 1 if fits else need.times

    def _once(self, operand: Operand) -> float:
        """Bytes of all its numbers, each position's inputs its own."""
        product = self.work.gathered
        numbers = {
            "inputs": product.M * product.d,
            "weights": product.n * product.d,
            "sums": product.M * product.n,
        }[operand]
        return self._width(operand) * numbers * product.count * self.work.times

    def _crossing(self, operand: Operand) -> float:
        """Bytes that cross the memory."""
        if operand == "sums":
            return self.phase.moved.outputs - self.phase.spilled
        return float(getattr(self.phase.moved, operand))

    def _shared(self, operand: Operand) -> int:
        """Multipliers that get the same number at once."""
        box = self.unrolled
        return {"inputs": box.neurons, "weights": box.positions, "sums": box.depth}[operand]

    def _width(self, operand: Operand) -> float:
        return self.sum_bytes if operand == "sums" else self.work.run_bits / 8
