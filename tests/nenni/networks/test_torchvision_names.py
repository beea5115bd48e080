from torchvision import models

from nenni.networks.torchvision_names import classifiers, weights_of


def test_they_are_those_that_torchvision_lists() -> None:
    assert classifiers() == set(models.list_models(models))


def test_weights_are_those_that_torchvision_has() -> None:
    for name in classifiers():
        assert {*weights_of(name)} == {*models.get_model_weights(name).__members__}
    assert weights_of("resnet5o") == ()
