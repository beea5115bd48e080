"""A network of one's own."""

import os
import sys
import traceback
from importlib import import_module
from pathlib import Path

from torch import nn

from nenni.core.errors import UserError, last_line
from nenni.core.types import ImportPath

__all__ = ["function"]


def function(
    input_shape: tuple[int, int, int], n_classes: int, *, function: ImportPath
) -> nn.Module:
    """What ``MODULE:FUNCTION`` returns, called without arguments.

    Parameters
    ----------
    input_shape, n_classes : tuple, int
        What the data has; the network should fit them.
    function : str
        The module is found from the working directory too; it is run, as any import is.

    Raises
    ------
    UserError
        If there is no such function, it or its module fails, or it returns no torch module.
    """
    return call(function)


def call(given: str) -> nn.Module:
    """The network that ``MODULE:FUNCTION`` returns; see :func:`function`."""
    module, colon, name = given.partition(":")
    if not (module and colon and name):
        raise UserError(f"a model of one's own should be MODULE:FUNCTION, got '{given}'")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = import_module(module)
        if not callable(build := getattr(found, name, None)):
            raise UserError(f"model {given}: {module} has no function {name}")
        model = build()
    except UserError:
        raise
    except ModuleNotFoundError as error:
        raise UserError(f"model {given}: {error}; run from the folder that holds it") from error
    except Exception as error:
        raise UserError(f"model {given}: {last_line(error)}{_place(error)}") from error
    if not isinstance(model, nn.Module):
        raise UserError(f"model {given}: returns a {type(model).__name__}, not a torch module")
    return model


def _place(error: Exception) -> str:
    """The last line in a file of the working directory that led to an error."""
    here = f"{Path.cwd()}{os.sep}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(here)]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
