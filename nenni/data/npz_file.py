"""Arrays of images and labels in npz files."""

from pathlib import Path

import numpy as np

from nenni.core.errors import UserError
from nenni.data.dataset import Pool, checked_pool


def read_pool(file: Path, x: str, y: str) -> Pool:
    """Two arrays of an npz file; nothing in it is unpickled."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return checked_pool(arrays[x], arrays[y], f"{file}: {x}, {y}")
    except FileNotFoundError as error:
        raise UserError(f"{file}: is missing") from error
    except UserError:
        raise
    except Exception as error:  # a damaged file may fail anywhere in a reader
        raise UserError(
            f"{file}: should be an npz file with {x}, bytes (N, H, W, C), and {y}, whole numbers "
            f"(N,): {error}"
        ) from error
