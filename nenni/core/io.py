"""Reading and writing artefacts: atomic, deterministic, and clear about what is wrong."""

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nenni.core.errors import UserError, in_a_line
from nenni.core.types import NUMBER

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

_AGAIN = "delete it and run snakemake again"
NAMED = (
    "architecture", "arm", "attack", "base", "claim", "comparator", "control", "control_base",
    "datasets", "defence", "evaluation", "layer", "least_suite", "measure", "measured_on",
    "network", "preset", "source", "suite", "text",
)  # fmt: skip
"""Columns of what has a name that someone chose: no other word is taken for a number."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file, then rename it: there is never half a file at `path`.

    A link stays one, and what it points to is written. A device or a pipe gets the bytes itself.

    Raises
    ------
    UserError
        If the disk is full or the folder cannot be written; what was at `path` is kept.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file")
    if path.exists() and not path.is_file():
        try:
            write(path)
        except OSError as error:
            raise _explain(path, error) from error
        return
    asked, path = path, Path(os.path.realpath(path))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _explain(asked, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with unix line ends."""
    write_atomically(path, lambda temporary: temporary.write_bytes(text.encode()))


def write_json(path: Path, value: Any) -> None:
    """Write JSON, indented, in the order given."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a file written by :func:`write_json`."""
    with _reading(path):
        return json.loads(path.read_text(encoding="utf-8"))


def write_csv(path: Path, table: "pd.DataFrame") -> None:
    """Write a table without its index, numbers to 8 significant digits, eps exactly.

    Tables are joined by eps, which therefore has to be the same number when it is read again.
    """
    if "eps" in table:
        table = table.assign(eps=[repr(float(eps)) for eps in table["eps"]])
    write_text(path, table.to_csv(index=False, float_format=NUMBER, lineterminator="\n"))


def read_csv(path: Path, *, text: bool = False) -> "pd.DataFrame":
    """Read a table written by :func:`write_csv`; what has a name keeps it, be it "1.10" or "null".

    Parameters
    ----------
    path : Path
        The file.
    text : bool
        Take every cell as the text that it is, an empty one as "".
    """
    import pandas as pd

    with _reading(path):
        if text:
            return pd.read_csv(path, dtype="str", keep_default_na=False)
        words = dict.fromkeys(NAMED, "str") | {"eps": "str"}
        table = pd.read_csv(path, dtype=words, keep_default_na=False, na_values=[""])
        # pandas before 3.1 reads a number but for its last bit
        return table.assign(eps=table["eps"].astype(float)) if "eps" in table else table


def write_tensors(path: Path, tensors: dict[str, "Tensor"], meta: dict[str, Any]) -> None:
    """Write safetensors whose metadata is one key with sorted JSON, so that bytes repeat."""
    import torch
    from safetensors.torch import save

    packed = {  # copies, as safetensors refuses tensors that share memory (tied layers)
        name: t.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, t in tensors.items()
    }
    data = save(packed, {"nenni": json.dumps(meta, sort_keys=True)})
    write_atomically(path, lambda temporary: temporary.write_bytes(data))


def read_tensors(path: Path) -> tuple[dict[str, "Tensor"], dict[str, Any]]:
    """Read tensors and metadata written by :func:`write_tensors`."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            meta = json.loads((file.metadata() or {}).get("nenni", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise UserError(f"{path}: is missing") from error
    except Exception as error:  # a damaged file may fail anywhere in a reader
        raise _damaged(path, error) from error
    if not isinstance(meta, dict):
        raise UserError(f"{path}: holds tensors alone, written by another program")
    return tensors, meta


def is_ours(path: Path) -> bool:
    """Whether :func:`write_tensors` wrote a file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return "nenni" in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def foreign_tensors(path: Path, progress: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Tensors that another program wrote, as safetensors or by torch.save; runs nothing of theirs.

    Of what torch.save wrote they may be one entry, as in a training script's checkpoint;
    `progress` is told which. Beside them may be what a ``get_extra_state`` returned.

    Raises
    ------
    UserError
        If the file is missing or damaged, holds more than plain values, no tensors by name, or
        those of several networks.
    """
    import torch
    from safetensors.torch import load_file

    safe = path.suffix == ".safetensors"
    try:
        if safe:
            tensors: dict[str, Any] = load_file(path)
            return tensors
        found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path}: is missing") from error
    except Exception as error:  # a damaged file may fail anywhere in a reader
        if safe:
            raise _damaged(path, error) from error
        raise UserError(
            f"{path}: holds no tensors, or more than tensors alone; write it again by "
            "torch.save(model.state_dict(), file)"
        ) from error
    if _by_name(found):
        return dict(found)
    entries = (
        [key for key, value in found.items() if _by_name(value)] if isinstance(found, dict) else []
    )
    if len(entries) > 1 and "state_dict" in entries:
        entries = ["state_dict"]
    if len(entries) != 1:
        several = f"; it has several networks: {', '.join(entries)}; keep one" if entries else ""
        raise UserError(f"{path}: should hold tensors by name, as model.state_dict() does{several}")
    progress(f"{path}: its entry {entries[0]} was taken")
    entry: dict[str, Any] = found[entries[0]]
    return entry


def _by_name(value: Any) -> bool:
    """Whether a value is what a network's state_dict() gives: tensors, and modules' own states."""
    import torch

    return (
        isinstance(value, dict)
        and any(isinstance(t, torch.Tensor) for t in value.values())
        and all(
            isinstance(name, str) and (isinstance(t, torch.Tensor) or name.endswith("_extra_state"))
            for name, t in value.items()
        )
    )


def sha256(path: Path) -> str:
    """Checksum of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Whatever fails while a file of the workflow is read is told with its name and remedy."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"{path}: is missing; run snakemake again") from error
    except Exception as error:  # a damaged file may fail anywhere in a reader
        raise UserError(f"{path}: is damaged ({in_a_line(error)}); {_AGAIN}") from error


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path}: is damaged, or no safetensors ({in_a_line(error)}); if the workflow made it, "
        f"{_AGAIN}"
    )


def _explain(path: Path, error: OSError) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(
            f"{path}: no space is left to write it; free some and run the same command again, "
            "what was finished is kept"
        )
    return UserError(f"{path}: cannot be written ({error.strerror})")
