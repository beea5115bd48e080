"""The cost model counts what an executor that really skips work does."""

import json
import random
from statistics import fmean
from typing import Any

import pytest
import torch
from executor import Executor
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from layer_cases import DETERMINISTIC, Geometry, geometries, inputs, noisy, projections
from torch import nn

import hwmodel
from hwmodel import op_count
from hwmodel.bitops import score_bits, sum_bits
from nenni.core.seeding import seeded
from nenni.cost.describe import describe
from nenni.method.projection_base import Projection
from nenni.method.selection.random import Random
from nenni.method.selection_base import Selection

BITS = st.sampled_from([4, 8, 32])


@settings(max_examples=150, deadline=None)
@given(
    geometry=geometries, projection=projections,
    selection=st.sampled_from([*DETERMINISTIC, Random(0.4)]),
    input_bits=BITS, projected_bits=BITS, normalise=st.booleans(),
)  # fmt: skip
def test_operations_are_those_of_an_executor(
    geometry: Geometry, projection: Projection, selection: Selection, input_bits: Any,
    projected_bits: Any, normalise: bool,
) -> None:  # fmt: skip
    wrapped, shape = geometry
    if isinstance(wrapped, nn.Conv2d):
        left, right, top, bottom = wrapped._reversed_padding_repeated_twice
        assume(wrapped.padding_mode == "zeros" and (left, top) == (right, bottom))
    layer = noisy(
        wrapped.double(), selection, projection=projection, normalise=normalise,
        input_bits=input_bits, projected_bits=projected_bits, weight_bits=4,
    )  # fmt: skip
    assume(bool(layer.P.any()))  # of a tiny P all entries may be 0, which the cost model refuses
    x = inputs(1, shape, dtype=torch.float64)
    (entry,) = describe(nn.Sequential(layer).eval(), x, name="one")["layers"]
    spec = hwmodel.Layer.model_validate_json(json.dumps(entry))
    injection = spec.injection
    assert injection is not None
    with seeded(0):
        mask = layer.mask(layer.judged(x))
    if injection.selection.randomised:  # drawn again, with a share of its own
        share = {"measured_fraction": float(mask.double().mean())}
        injection = injection.model_copy(update=share)
    executor = Executor(layer, sum_bits(injection))
    with torch.no_grad(), seeded(0):
        torch.testing.assert_close(executor.run(x, mask), layer(x), rtol=1e-9, atol=1e-9)
    found = {
        "exact": op_count.exact_part(spec, injection),
        "approximation": op_count.approximation(spec, injection),
        "projection": op_count.projection(spec, injection),
        "selection": op_count.selection(spec, injection, score_bits(spec, injection, 32)),
        "mask": op_count.mask(spec, injection),
    }
    expected = executor.count
    for term, operations in found.items():
        for kind in ("macs", "additions", "comparisons", "mask_bits"):
            if (term, kind) == ("selection", "comparisons") and injection.selection.algorithm:
                continue  # they hang on the values
            counted = getattr(operations, kind)
            assert counted == pytest.approx(expected[f"{term}.{kind}"], rel=1e-12), (term, kind)
    roundings = op_count.input_roundings(spec, injection, spec.exact_bits)
    roundings += op_count.projected_roundings(spec, injection, sum_bits(injection))
    assert roundings == expected["rounding.roundings"]


def quickselect(values: list[float], k: int, draws: random.Random) -> int:
    """Comparisons that find the k-th largest of distinct values (Hoare's FIND, random pivots)."""
    count = 0
    while len(values) > 1:
        pivot = draws.choice(values)
        count += len(values) - 1
        larger = [value for value in values if value > pivot]
        if k <= len(larger):
            values = larger
        elif k == len(larger) + 1:
            break
        else:
            k -= len(larger) + 1
            values = [value for value in values if value < pivot]
    return count


@pytest.mark.parametrize(("fraction", "expected"), [(0.5, 3.39), (0.25, 3.12), (0.1, 2.65)])
def test_quickselect_takes_about_three_comparisons_a_neuron(
    fraction: float, expected: float
) -> None:
    """Knuth: 2 - 2 (f ln f + (1 - f) ln (1 - f)) a value, of which 3 stands for all."""
    draws, n = random.Random(0), 2000
    mean = fmean(
        quickselect([draws.random() for _ in range(n)], int(fraction * n), draws) / n
        for _ in range(100)
    )
    assert mean == pytest.approx(expected, rel=0.05)
    assert mean == pytest.approx(op_count._QUICKSELECT_COMPARISONS, rel=0.2)
