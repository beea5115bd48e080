"""Fashion-MNIST."""

from nenni.data.dataset import PublishedData
from nenni.data.torchvision_sets import from_torchvision

__all__ = ["fashion_mnist"]


def fashion_mnist(*, root: str = "data") -> PublishedData:
    """70,000 pictures of clothes of 28x28 in 10 classes (Xiao et al., 2017), by torchvision.

    Parameters
    ----------
    root : str
        Folder of the files; they are downloaded if they are not there.
    """
    return from_torchvision(
        "FashionMNIST", root, {"train": {"train": True}, "test": {"train": False}}
    )
