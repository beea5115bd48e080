"""Problems as Timeloop reads them, with the densities that Sparseloop takes.

A convolution of two axes with groups: weights G M C R S, inputs N G C and the positions that P and
Q read, outputs N G M P Q. A density of 1 is left out. That of the weights is fixed-structured (P
has as many non-zeros in every row), those of inputs and outputs are hypergeometric: so many of all,
anywhere. Positions are those of the tiles that run; a mask of tiles is a density of tiles.

Source: Timeloop v4's problem format, version 0.4 (Parashar et al., ISPASS 2019), and Sparseloop's
density models (Wu et al., MICRO 2022, section 5.2).
"""

from typing import Any

import yaml

from hwmodel.workload import Workload

_DIMENSIONS = ["N", "G", "M", "C", "P", "Q", "R", "S"]
_COEFFICIENTS = ["Hstride", "Wstride", "Hdilation", "Wdilation"]
_SHAPE: dict[str, Any] = {
    "name": "grouped_convolution",
    "dimensions": _DIMENSIONS,
    "coefficients": [{"name": name, "default": 1} for name in _COEFFICIENTS],
    "data_spaces": [
        {"name": "Weights", "projection": [[["G"]], [["M"]], [["C"]], [["R"]], [["S"]]]},
        {
            "name": "Inputs",
            "projection": [
                [["N"]],
                [["G"]],
                [["C"]],
                [["R", "Hdilation"], ["P", "Hstride"]],
                [["S", "Wdilation"], ["Q", "Wstride"]],
            ],
        },
        {
            "name": "Outputs",
            "projection": [[["N"]], [["G"]], [["M"]], [["P"]], [["Q"]]],
            "read_write": True,
        },
    ],
}


def timeloop_problem(workload: Workload) -> dict[str, Any]:
    """One problem.

    Parameters
    ----------
    workload
        What it computes.
    """
    height, width = workload.out_size
    sizes = [
        workload.batch, workload.groups, workload.neurons, workload.channels, height, width,
        *workload.kernel,
    ]  # fmt: skip
    instance: dict[str, Any] = dict(zip(_DIMENSIONS, sizes, strict=True))
    instance |= zip(_COEFFICIENTS, (*workload.stride, *workload.dilation), strict=True)
    models = {
        "Weights": "fixed_structured",
        "Inputs": "hypergeometric",
        "Outputs": "hypergeometric",
    }
    densities = {
        "Weights": workload.weights,
        "Inputs": workload.inputs,
        "Outputs": workload.outputs,
    }
    sparse = {
        space: {"distribution": models[space], "density": density}
        for space, density in densities.items()
        if density < 1
    }
    if sparse:
        instance["densities"] = sparse
    return {"problem": {"version": "0.4", "shape": _SHAPE, "instance": instance}}


def timeloop_yaml(workload: Workload) -> str:
    """One problem as a file."""
    return yaml.dump(timeloop_problem(workload), Dumper=_Plain, sort_keys=False)


class _Plain(yaml.SafeDumper):
    """Without anchors, of which Timeloop's own files make no use."""

    def ignore_aliases(self, data: object) -> bool:
        """Write everything out."""
        return True
