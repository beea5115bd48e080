"""The kernels: in C++, built on first use by torch's extension mechanism, and in Triton."""

import os
import shutil
import sysconfig
import warnings
from functools import cache
from pathlib import Path

import torch

from nenni.core.errors import UserError
from nenni.method.fused.operators import has_triton

_NAME = "nenni_deployment"
_SOURCES = ("layer.cpp", "avx2.cpp", "avx512_vnni.cpp", "amx.cpp", "amx_permission.cpp")
_FLAGS = ("-O3", "-std=c++20", "-fopenmp")
"""Its threads are those of torch."""
_FOLDER = Path(__file__).parent / "kernels"
AMX = "amx"
"""That of Intel's tiles, which was tested by a model of them and met no such processor yet."""
TORCH = "torch"
"""The path that needs no compiler."""
TRITON = "triton"
"""That of a GPU."""
_LEAST_CAPABILITY = (8, 0)
"""Of a GPU, for which Triton compiles products of bytes."""


def kernels(device: torch.device | str = "cpu") -> tuple[str, ...]:
    """Names of the kernels of a device: of a CPU the fastest first and ``"torch"`` last.

    Before them ``"amx"`` where the processor has it, faster or not.

    The first call of a machine builds them, which takes about a minute. Where that cannot be, a
    warning says why. On a GPU there is ``"triton"`` alone.

    Raises
    ------
    UserError
        On a GPU without Triton, or one that is too old for its products of bytes.
    """
    if torch.device(device).type == "cpu":
        return (*_built(), TORCH)
    if not has_triton():
        raise UserError(
            "a network is deployed on a GPU by kernels in Triton, which is not installed here, is "
            "older than 3.6, or has no C compiler; deploy it on the CPU: noisy.cpu()"
        )
    if (capability := torch.cuda.get_device_capability(device)) < _LEAST_CAPABILITY:
        least, found = (".".join(map(str, of)) for of in (_LEAST_CAPABILITY, capability))
        raise UserError(
            f"this GPU has compute capability {found}, and the kernels need {least}: A100, RTX 30 "
            "or newer; deploy it on the CPU: noisy.cpu()"
        )
    return (TRITON,)


@cache
def _built() -> tuple[str, ...]:
    _find_own_programs()
    if missing := [tool for tool in ("c++", "ninja") if shutil.which(tool) is None]:
        _warn(f"{' and '.join(missing)} not found")
        return ()
    from torch.utils import cpp_extension

    try:
        cpp_extension.load(
            _NAME,
            [str(_FOLDER / source) for source in _SOURCES],
            extra_cflags=[*_FLAGS],
            is_python_module=False,
        )
    except (RuntimeError, OSError, ImportError) as error:
        _warn(str(error).strip().splitlines()[0])
        return ()
    found: list[str] = torch.ops.nenni_deployment.kernels()
    return tuple(found)


def _find_own_programs() -> None:
    """Let ninja be found where pip put it, though the environment was not activated."""
    own, path = sysconfig.get_path("scripts"), os.environ.get("PATH", "")
    if own not in path.split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([path, own]) if path else own


def _warn(why: str) -> None:
    warnings.warn(
        f"deployed networks run on torch's own products: the kernels were not built ({why}); "
        "install a C++ compiler and ninja for them (pip install 'nenni[deploy]')",
        stacklevel=4,
    )
