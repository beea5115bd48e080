"""How long the phases of a layer take together: one after the other, fused, or overlapped.

With c_i the time of a phase's operations, m_i that of the bytes it moves, and o of starting one:

serial
    sum_i (max(c_i, m_i) + o). What a phase hands to the next crosses the memory.
fused
    sum_i max(c_i, m_i) + o. One start; what phases hand to each other stays on the chip where it
    fits (`hwmodel.fusion`).
overlapped
    max(sum_i p_i, sum_i e_i, sum_i m_i) + o, where p_i is the part of c_i on the multipliers and
    e_i that outside them: both and the memory work at once, on different tiles or inputs, as the
    two modules of DUET do (Liu et al., MICRO 2020, section IV). Where an input's scores are ranked
    over the whole output, its exact part cannot begin before the last score: projection and
    approximation, selection, and exact part of one input are three such steps, one after the
    other. Of b inputs in turn the first takes these, 1 / b of the sum of the steps, and the others
    overlap with it.

So overlapped <= fused <= serial.
"""

from collections.abc import Sequence

from hwmodel.injection_spec import Injection
from hwmodel.phase import Phase
from hwmodel.preset import Order


def layer_seconds(
    phases: Sequence[Phase], order: Order, injection: Injection | None, batch: int = 1
) -> float:
    """Time of the phases of one layer, for one batch.

    Parameters
    ----------
    phases
        Projection, approximation, selection, exact; or one.
    order
        As above.
    injection
        Of the layer; None without one.
    batch
        Inputs at once.
    """
    if order == "serial":
        return sum(phase.seconds for phase in phases)
    overhead = max((phase.overhead_s for phase in phases if phase.bound), default=0.0)
    if order == "fused":
        return sum(phase.busy_s for phase in phases) + overhead
    together = _at_once(phases)
    if injection is None or not injection.selection.waits_for_all:
        return together + overhead
    *approximate, selection, exact = phases
    first = sum(map(_at_once, (approximate, [selection], [exact])))
    return ((batch - 1) * together + first) / batch + overhead


def _at_once(phases: Sequence[Phase]) -> float:
    return max(
        sum(phase.product_s for phase in phases),
        sum(phase.other_s for phase in phases),
        sum(phase.memory_s for phase in phases),
    )
