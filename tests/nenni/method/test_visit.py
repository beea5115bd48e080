from torch import Tensor, nn

from nenni.method.injection import noisy_layers, set_path
from nenni.method.report import report


def test_a_visit_leaves_the_paths_as_they_were(
    noisy: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    set_path(noisy, "soft", temperature=0.7)
    next(iter(noisy_layers(noisy)))[1].path = "exact"
    before = [(layer.path, layer.temperature) for _, layer in noisy_layers(noisy)]
    report(noisy, digits[0][:20])
    assert [(layer.path, layer.temperature) for _, layer in noisy_layers(noisy)] == before
