"""Weights that a base starts from, made by others."""

from pathlib import Path
from urllib.error import URLError

from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.core.io import foreign_tensors
from nenni.method.saving import load_tensors

TORCHVISION = "torchvision:"


def load_initial(model: nn.Module, weights: str, architecture: dict[str, str]) -> None:
    """Load the weights that a base's config names.

    Parameters
    ----------
    model : Module
        The network.
    weights : str
        A file: safetensors, or tensors alone as torch.save wrote them, with or without ``module.``
        before each name. Or ``torchvision:DEFAULT``, or another name of torchvision's, for the
        plugin ``torchvision``: downloaded and checked by torchvision, the last layer left out
        where it has other classes.
    architecture : dict
        The model's config.

    Raises
    ------
    UserError
        If they cannot be read or downloaded, or belong to another architecture.
    """
    if weights.startswith(TORCHVISION):
        _from_torchvision(model, weights.removeprefix(TORCHVISION), architecture)
        return
    found = {k.removeprefix("module."): t for k, t in foreign_tensors(Path(weights)).items()}
    counters = {k: t for k, t in model.state_dict().items() if k.endswith("num_batches_tracked")}
    load_tensors(model, counters | found, Path(weights))  # counters came with PyTorch 0.4.1


def _from_torchvision(model: nn.Module, name: str, architecture: dict[str, str]) -> None:
    from torchvision import models

    if architecture["name"] != "torchvision":
        raise UserError(
            f"weights {TORCHVISION}{name} are for the model torchvision, the base has "
            f"{architecture['name']}"
        )
    which = architecture["model"]
    try:
        weights = models.get_model_weights(which)[name]
        found: dict[str, Tensor] = dict(weights.get_state_dict(progress=False, check_hash=True))
    except KeyError as error:
        known = ", ".join(w.name for w in models.get_model_weights(which))
        raise UserError(
            f"torchvision has no weights '{name}' of {which}; it has: {known}"
        ) from error
    except (URLError, OSError, RuntimeError) as error:
        raise UserError(
            f"weights {TORCHVISION}{name} of {which} cannot be downloaded, or are not what was "
            f"expected ({error}); fetch them on a machine that may, and name the file"
        ) from error
    network = model.get_submodule("1")
    last = [n for n, m in network.named_modules() if isinstance(m, nn.Linear)][-1]
    own = network.state_dict()
    for part in (f"{last}.weight", f"{last}.bias"):
        if own[part].shape != found[part].shape:
            found[part] = own[part]
    load_tensors(network, found, Path(f"{TORCHVISION}{name}"))
