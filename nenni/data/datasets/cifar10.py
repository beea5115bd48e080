"""CIFAR-10."""

from nenni.core.types import Place
from nenni.data.dataset import PublishedData
from nenni.data.torchvision_sets import from_torchvision

__all__ = ["cifar10"]

PUBLISHED = {"train": 50_000, "test": 10_000}
SHAPE = (3, 32, 32)


def cifar10(*, root: Place = "data") -> PublishedData:
    """60,000 images of 32x32 in 10 classes (Krizhevsky, 2009), by torchvision.

    Parameters
    ----------
    root : str
        Folder of the files; they are downloaded if they are not there.
    """
    return from_torchvision("CIFAR10", root, {"train": {"train": True}, "test": {"train": False}})
