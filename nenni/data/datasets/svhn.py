"""SVHN."""

from nenni.core.types import Place
from nenni.data.dataset import PublishedData
from nenni.data.torchvision_sets import from_torchvision

__all__ = ["svhn"]

PUBLISHED = {"train": 73_257, "test": 26_032}
SHAPE = (3, 32, 32)


def svhn(*, root: Place = "data/svhn") -> PublishedData:
    """99,289 house numbers of 32x32 in 10 classes (Netzer et al., 2011), by torchvision.

    Without its set of extra training images. Reading its files needs scipy.

    Parameters
    ----------
    root : str
        Folder of the files; they are downloaded if they are not there.
    """
    return from_torchvision("SVHN", root, {p: {"split": p} for p in ("train", "test")})
