"""Fashion-MNIST."""

from nenni.core.types import Place
from nenni.data.dataset import PublishedData
from nenni.data.torchvision_sets import from_torchvision

__all__ = ["fashion_mnist"]

PUBLISHED = {"train": 60_000, "test": 10_000}
SHAPE = (1, 28, 28)


def fashion_mnist(*, root: Place = "data") -> PublishedData:
    """70,000 pictures of clothes of 28x28 in 10 classes (Xiao et al., 2017), by torchvision.

    Parameters
    ----------
    root : str
        Folder of the files; they are downloaded if they are not there.
    """
    return from_torchvision(
        "FashionMNIST", root, {"train": {"train": True}, "test": {"train": False}}
    )
