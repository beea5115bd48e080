"""Steps of a learned noise, each after one of the network, as some baselines have them."""

from collections.abc import Callable

from torch import Tensor, nn

from nenni.method.baseline import AlternatingLayer


def leave_out(parameters: list[nn.Parameter]) -> None:
    """Let an optimiser's next step pass some parameters by."""
    for parameter in parameters:
        parameter.grad = None


def noise_penalty(layers: list[AlternatingLayer], epoch: int) -> Tensor:
    """What is added to the loss of such a step, in an epoch counted from 1."""
    first, *others = (layer.penalty(epoch) for layer in layers)
    return sum(others, first)


def step_noise(
    model: nn.Module,
    layers: list[AlternatingLayer],
    epoch: int,
    backward: Callable[[], None],
    step: Callable[[], None],
) -> None:
    """Change the noise alone, by the gradient of the loss and of the layers' penalty.

    Parameters
    ----------
    model : Module
        What is trained; no parameter of it has a gradient, or its passes could not be replayed.
    layers : list
        Those of it whose noise takes such steps.
    epoch : int
        From 1.
    backward : callable
        Adds the gradients of the loss, with the weights as they are now.
    step : callable
        The optimiser's step.
    """
    backward()
    noise_penalty(layers, epoch).backward()
    learned = {layer.learned_noise() for layer in layers}
    leave_out([parameter for parameter in model.parameters() if parameter not in learned])
    step()
    for layer in layers:
        layer.settle()
