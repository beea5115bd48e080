from torchvision import models

from nenni.networks.torchvision_names import classifiers


def test_they_are_those_that_torchvision_lists() -> None:
    assert classifiers() == set(models.list_models(models))
