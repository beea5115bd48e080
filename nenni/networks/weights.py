"""Fill a network with tensors: those of a file, or weights that others published."""

from pathlib import Path
from urllib.error import URLError

from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.core.io import foreign_tensors
from nenni.networks.architecture import TORCHVISION
from nenni.networks.build import architecture_of


def load_tensors(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Fill a network with the tensors of a file, all of which must fit; see :func:`check_fits`."""
    check_fits(model, tensors, path)
    model.load_state_dict(tensors)


def check_fits(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Refuse the tensors of a file that are not those of a network.

    Raises
    ------
    UserError
        With the first tensor, by name, whose shape or type differs or which only one side has.
    """

    def describe(side: dict[str, Tensor], name: str) -> str:
        if name not in side:
            return "nothing"
        return f"{tuple(side[name].shape)} of {str(side[name].dtype).removeprefix('torch.')}"

    wanted = model.state_dict()
    for name in sorted(wanted.keys() | tensors.keys()):
        expected, found = describe(wanted, name), describe(tensors, name)
        if found != expected:
            raise UserError(f"{path}: does not fit: {name} should be {expected}, is {found}")


def load_published(model: nn.Module, weights: str) -> None:
    """Fill a network with weights that others trained.

    Parameters
    ----------
    model : Module
        The network, as :func:`nenni.networks.build.build` made it.
    weights : str
        A file: safetensors, or tensors alone as torch.save wrote them, with or without ``module.``
        before each name. Or ``torchvision:DEFAULT``, or another name of torchvision's, for the
        plugin ``torchvision``: downloaded and checked by torchvision, the last layer left out
        where it has other classes.

    Raises
    ------
    UserError
        If they cannot be read or downloaded, or belong to another architecture.
    """
    if weights.startswith(TORCHVISION):
        _from_torchvision(model, weights.removeprefix(TORCHVISION))
        return
    found = {k.removeprefix("module."): t for k, t in foreign_tensors(Path(weights)).items()}
    counters = {k: t for k, t in model.state_dict().items() if k.endswith("num_batches_tracked")}
    load_tensors(model, counters | found, Path(weights))  # counters came with PyTorch 0.4.1


def _from_torchvision(model: nn.Module, name: str) -> None:
    from torchvision import models

    config = architecture_of(model).model
    if config is None or config["name"] != "torchvision":
        raise UserError(
            f"weights {TORCHVISION}{name} are for the model torchvision, and the network is "
            f"{'another' if config is None else config['name']}"
        )
    which = config["model"]
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
