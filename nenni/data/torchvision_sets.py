"""Datasets that torchvision downloads and checks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np

from nenni.core.errors import UserError
from nenni.data.dataset import Pool, PublishedData, checked_pool


def from_torchvision(name: str, root: str, parts: dict[str, dict[str, Any]]) -> PublishedData:
    """The training and test images of a dataset of torchvision, downloaded if they are not there.

    Parameters
    ----------
    name : str
        A class of :mod:`torchvision.datasets`.
    root : str
        Folder that holds the files, or gets them.
    parts : dict
        "train" and "test" -> the arguments that choose them.

    Raises
    ------
    UserError
        If the files can neither be found nor downloaded, or are not what torchvision expects.
    """
    from torchvision import datasets

    build: Callable[..., Any] = getattr(datasets, name)
    pools = {}
    for part, chosen in parts.items():
        try:
            data = build(root, download=True, **chosen)
        except (RuntimeError, URLError, OSError, ValueError, EOFError) as error:
            raise UserError(
                f"data {name}: the files in {Path(root)} cannot be used or downloaded "
                f"({str(error).strip() or type(error).__name__}). Delete what is damaged there, or "
                f'fetch them on a machine that may: python -c "from torchvision.datasets import '
                f"{name}; {name}('{root}', download=True)\""
            ) from error
        pools[part] = _pool(data, name)
    classes = 1 + max(int(pool.labels.max()) for pool in pools.values())
    return PublishedData(pools["train"], test=pools["test"], n_classes=classes)


def _pool(data: Any, name: str) -> Pool:
    images = np.asarray(data.data)
    labels = np.asarray(data.targets if hasattr(data, "targets") else data.labels)
    if images.ndim == 4 and images.shape[1] == 3 and images.shape[-1] != 3:
        images = np.moveaxis(images, 1, -1)
    return checked_pool(images, labels, f"data {name}")
