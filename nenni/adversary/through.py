"""A network seen through one of the paths of its injected layers."""

from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.method.injection import noisy_layers, on_path
from nenni.method.noisy_layer import LayerPath
from nenni.method.score import TEMPERATURE


class Through(nn.Module):
    """The given network, with all injected layers on one path during each pass.

    Parameters
    ----------
    model : Module
        An injected network.
    path : str
        See :class:`nenni.method.noisy_layer.NoisyLayer`.
    temperature : float
        Width of a soft mask.

    Raises
    ------
    UserError
        If no layer is injected.
    """

    def __init__(self, model: nn.Module, path: LayerPath, temperature: float = TEMPERATURE) -> None:
        super().__init__()
        if not any(noisy_layers(model)):
            raise UserError(f"the surrogate '{path}' is of an injected network; this one is plain")
        self.model, self.path, self.temperature = model, path, temperature
        self.training = getattr(model, "training", False)

    def forward(self, x: Tensor) -> Tensor:
        """Logits by the chosen path."""
        with on_path(self.model, self.path, self.temperature):
            logits: Tensor = self.model(x)
        return logits
