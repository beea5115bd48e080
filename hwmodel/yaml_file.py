"""YAML files of other tools, read without running what they hold."""

from pathlib import Path

import yaml

from hwmodel.errors import UserError

_LARGEST_BYTES = 10**8


def read_yaml(path: Path) -> object:
    """What a file of plain scalars, lists and mappings holds.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    UserError
        If it cannot be read, is no YAML, or asks for an object of Python.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise UserError(f"{path}: should be a file of at most {_LARGEST_BYTES:,} bytes")
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise UserError(f"{path}: is not plain YAML: {first}") from None
