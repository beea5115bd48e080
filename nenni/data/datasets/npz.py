"""Anyone's own data, as npz files."""

from pathlib import Path

from nenni.core.errors import UserError
from nenni.core.types import Classes, File
from nenni.data.dataset import PublishedData, same_size
from nenni.data.npz_file import read_pool

__all__ = ["npz"]

LABELS = {"train": ("train", "y"), "test": ("test", "y")}


def npz(
    *, train: File, test: File | None = None, n_classes: Classes | None = None
) -> PublishedData:
    """Images x, bytes (N, H, W, C) or (N, H, W), and labels y, whole numbers (N,).

    Parameters
    ----------
    train, test : str
        Files. Without the second, test images are held out of the first.
    n_classes : int or None
        Number of classes; None is one more than the largest training label.

    Raises
    ------
    UserError
        If a file is missing or damaged, or an array of another type, shape or range.
    """
    pools = {Path(file): read_pool(Path(file), "x", "y") for file in (train, test) if file}
    classes = n_classes or int(pools[Path(train)].labels.max()) + 1
    for file, pool in pools.items():
        if (largest := int(pool.labels.max())) >= classes:
            raise UserError(f"{file}: y goes up to {largest}, and there are {classes} classes")
    same_size({str(file): pool for file, pool in pools.items()})
    return PublishedData(pools[Path(train)], test=pools.get(Path(test or "")), n_classes=classes)
