"""Workloads as ZigZag reads them: a list of layers in YAML.

Of ZigZag there are no densities: where a mask leaves out positions, as many rows of outputs are
left as are computed; rounded up, and so are those of inputs that these read. Partial sums are twice
as wide as the operands, as ZigZag takes them from ONNX files.

Source: the schema that zigzag-dse 3.9.1 checks workloads with (zigzag.parser.workload_validator),
and its documentation of the workload input format.
"""

from collections.abc import Sequence
from math import ceil
from typing import Any

import yaml

from hwmodel.workload import Workload

_EQUATION = "O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]"


def zigzag_yaml(workloads: Sequence[Workload]) -> str:
    """All workloads as one file, to be run at once, each independent of the others."""
    layers = [zigzag_layer(index, workload) for index, workload in enumerate(workloads)]
    return yaml.safe_dump(layers, sort_keys=False)


def zigzag_layer(index: int, workload: Workload) -> dict[str, Any]:
    """One layer.

    Parameters
    ----------
    index
        Its identifier in the file.
    workload
        What it computes.
    """
    height, width = workload.out_size
    rows = max(1, ceil(workload.outputs * height))
    if rows == height == 1:
        width = max(1, ceil(workload.outputs * width))
    (above, below), sides = workload.padding
    taken = _taken(rows, workload.stride[0], workload.kernel[0], workload.dilation[0])
    in_height = workload.in_size[0] if rows == height else max(1, taken - above)
    below = below if rows == height else taken - above - in_height
    in_width = workload.in_size[1] if workload.kernel[1] > 1 or workload.stride[1] > 1 else width
    return {
        "id": index,
        "name": workload.name,
        "operator_type": "Conv",
        "equation": _EQUATION,
        "dimension_relations": [
            f"ix={workload.stride[1]}*ox+{workload.dilation[1]}*fx",
            f"iy={workload.stride[0]}*oy+{workload.dilation[0]}*fy",
        ],
        "loop_dims": ["B", "K", "G", "OX", "OY", "C", "FX", "FY"],
        "loop_sizes": [
            workload.batch, workload.neurons, workload.groups, width, rows, workload.channels,
            workload.kernel[1], workload.kernel[0],
        ],
        "operand_precision": {
            "W": workload.bits, "I": workload.bits, "O": 2 * workload.bits,
            "O_final": workload.bits,
        },
        "operand_source": {"W": index, "I": index},
        "pr_loop_dims": ["IX", "IY"],
        "pr_loop_sizes": [in_width, in_height],
        "padding": [list(sides), [above, below]],
    }  # fmt: skip


def _taken(outputs: int, stride: int, kernel: int, dilation: int) -> int:
    """Positions, with padding, that so many outputs read along an axis."""
    return (outputs - 1) * stride + (kernel - 1) * dilation + 1
