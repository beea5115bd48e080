"""The instruction set that torch computes with on a CPU, the same on processors of several kinds.

ATen, oneDNN and MKL, of which torch is made on x86, each choose their code by the processor, and
each choice rounds sums in another order. What they may choose is fixed by variables of the
environment, which they read once: before torch is imported.

MKL has the branches for AVX2 and AVX-512 on Intel's processors alone, and takes another elsewhere
without a word (Developer Guide for oneMKL, "Specifying Code Branches"): what binds on all of them
is its branch ``COMPATIBLE``, of SSE2. That these three variables together give the same bits on
processors of Intel and AMD was found before, by others:
https://github.com/Deep-MI/FastSurfer/pull/892.
"""

import os
import sys
from typing import Literal, get_args

from nenni.core import processor
from nenni.core.errors import UserError

InstructionSet = Literal["auto", "avx2", "avx512"]
"""``auto`` leaves the choice to torch and its libraries, and to the environment."""
AUTO = "auto"
NAMES: tuple[str, ...] = get_args(InstructionSet)

_VARIABLES = {
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_CBWR": "COMPATIBLE",
    },
    "avx512": {
        "ATEN_CPU_CAPABILITY": "avx512",
        "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
        "MKL_CBWR": "COMPATIBLE",
    },
}
_NEEDED = {
    "avx2": {"avx2", "fma", "f16c"},
    "avx512": {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"},
}
"""Extensions without which a processor cannot run what is asked for, as Linux names them."""
STEERING = (
    "ATEN_CPU_CAPABILITY", "DNNL_MAX_CPU_ISA", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_MAX_CPU_ISA",
)  # fmt: skip
"""Variables of the environment by which torch's libraries choose their code."""


def variables(name: str) -> dict[str, str]:
    """What the environment has to say for an instruction set; nothing for ``auto``."""
    return dict(_VARIABLES.get(name, {}))


def use_instruction_set(name: str) -> None:
    """Fix the instruction set of this process and of those that it starts.

    Parameters
    ----------
    name : "auto", "avx2" or "avx512"
        The widest that may be used. ``auto`` changes nothing.

    Raises
    ------
    UserError
        If torch is imported already and was not told, if the environment asks for something else,
        or if the processor does not have it.
    """
    if name not in NAMES:
        raise UserError(f"instruction_set: should be one of {', '.join(NAMES)}, got {name!r}")
    wanted = variables(name)
    if lacking := _NEEDED.get(name, set()) - processor.features():
        raise UserError(
            f"instruction_set: {name} is asked for, and the processor ({processor.name()}) has no "
            f"{', '.join(sorted(lacking))}; set auto"
        )
    for variable, value in wanted.items():
        if (given := os.environ.get(variable, value)) != value:
            raise UserError(
                f"instruction_set: {name} needs {variable}={value}, and the environment has "
                f"{variable}={given}; unset it, or set auto"
            )
    if "torch" in sys.modules and not wanted.items() <= os.environ.items():
        given = " ".join(f"{variable}={value}" for variable, value in wanted.items())
        raise UserError(
            f"instruction_set: {name} is asked for after torch was imported, which has chosen; "
            f"ask before, or start Python with {given}"
        )
    os.environ.update(wanted)


def in_force() -> str:
    """The instruction set that the environment of this process asks for in full, or ``auto``."""
    asked = os.environ.items()
    return next((name for name, wanted in _VARIABLES.items() if wanted.items() <= asked), AUTO)


def environment() -> dict[str, str]:
    """The variables of this process that steer what torch's libraries choose."""
    return {name: os.environ[name] for name in STEERING if os.environ.get(name)}
