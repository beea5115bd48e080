"""MNIST."""

from nenni.core.types import Place
from nenni.data.dataset import PublishedData
from nenni.data.torchvision_sets import from_torchvision

__all__ = ["mnist"]

PUBLISHED = {"train": 60_000, "test": 10_000}
SHAPE = (1, 28, 28)


def mnist(*, root: Place = "data") -> PublishedData:
    """70,000 digits of 28x28 (LeCun et al., 1998), by torchvision.

    Parameters
    ----------
    root : str
        Folder of the files; they are downloaded if they are not there.
    """
    return from_torchvision("MNIST", root, {"train": {"train": True}, "test": {"train": False}})
