"""What several commands take, said once: a network, images, an attack's bound, and a machine."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nenni.core import instruction_set, plugins, settings
from nenni.core.errors import UserError
from nenni.core.types import LARGEST_WHOLE

if TYPE_CHECKING:
    import torch
    from torch import nn

    from nenni.data.image_files import ImageFiles
    from nenni.networks.architecture import Architecture

NETWORK = """\
FILE is a network that nenni.save or the workflow wrote, which needs nothing else; or tensors alone
(.pt, .pth, .safetensors) of the architecture that --model names. For one of your own, my_module.py
holds build(), which returns a torch classifier of images in [0, 1] that gives logits; its
normalisation belongs inside."""
PLUGIN = "NAME[:KEY=VALUE,...]"
DATA = """\
The folder of --data has one subfolder of images per class, which get their labels in alphabetical
order, or in that of their names if all are whole numbers; an npz file has x, bytes (N, H, W, C) or
(N, H, W), and y, whole numbers (N,)."""


def command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, does: str,
            teaches: str) -> argparse.ArgumentParser:  # fmt: skip
    """A command with its line in the list of all, and what its own help teaches by example."""
    return commands.add_parser(
        name, help=does, description=f"{does[0].upper()}{does[1:]}.", epilog=teaches,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip


def add_network(parser: argparse.ArgumentParser) -> None:
    """FILE and --model."""
    parser.add_argument("file", nargs="?", metavar="FILE", help="a network; see below")
    parser.add_argument("--weights", metavar="FILE", help="the same as FILE")
    parser.add_argument(
        "--model", metavar="NAME",
        help="its architecture, where the file does not say it or names a function: "
        "MODULE:FUNCTION of your own, found from this folder too; torchvision:NAME; or a model of "
        "this package, as small_cnn or '{name: small_cnn, hidden: 32}'",
    )  # fmt: skip
    parser.add_argument(
        "--plugins", action="append", default=[], metavar="FOLDER",
        help="find plugins of your own here too, in subfolders such as selection/",
    )  # fmt: skip
    parser.add_argument(
        "--classes", type=count, metavar="N",
        help="outputs of a --model by name (default: the classes of the data)",
    )  # fmt: skip


def add_images(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Where images are, and their size."""
    parser.add_argument(
        "--data", type=Path, required=required, metavar="FOLDER|NPZ", help="images; see below"
    )
    parser.add_argument(
        "--size", type=count, metavar="N", help="resize and crop a folder's images to N x N"
    )


def add_amount(parser: argparse.ArgumentParser, *, examples: int | None = None) -> None:
    """How many images."""
    default = "" if examples is None else " (default: %(default)s)"
    parser.add_argument(
        "--examples", type=count, default=examples, metavar="N",
        help=f"so many images: the first of an npz file, every so many-th of a folder{default}",
    )  # fmt: skip


def add_batch_size(parser: argparse.ArgumentParser, module: str, function: str) -> None:
    """How many images at once: by default as many as a function of the library takes."""
    parser.add_argument(
        "--batch-size", type=count, default=settings.default(module, function, "batch_size"),
        metavar="N", help="at once (%(default)s)",
    )  # fmt: skip


def add_bound(parser: argparse.ArgumentParser) -> None:
    """What an attack may change, and how a randomised network is judged."""
    parser.add_argument("--norm", choices=("linf", "l2"), default="linf")
    parser.add_argument(
        "--eps", type=number, default=8 / 255, metavar="E",
        help="radius in units of the [0, 1] input; 8/255 can be written so (the default)",
    )  # fmt: skip
    parser.add_argument(
        "--draws", type=count, default=10, metavar="N", help="passes on a randomised model (10)"
    )


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Seed, threads, device and instruction set."""
    parser.add_argument("--seed", type=seed, default=0, metavar="N")
    parser.add_argument(
        "--threads", type=count, default=1, help="results depend on it in last bits"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    add_instruction_set(parser)


def add_instruction_set(parser: argparse.ArgumentParser) -> None:
    """What a CPU computes with, which :func:`nenni.cli.main.main` fixes before torch is loaded."""
    parser.add_argument(
        "--instruction-set", choices=instruction_set.NAMES, default=instruction_set.AUTO,
        help="the widest that a CPU computes with; results depend on it in last bits, and with "
        "auto, the default, on the processor",
    )  # fmt: skip


def prepare(parsed: argparse.Namespace) -> "torch.device":
    """Set threads and device; see :func:`nenni.core.runtime.prepare`."""
    from nenni.core import runtime

    asked = ("threads", "device", "instruction_set")
    return runtime.prepare({name: getattr(parsed, name) for name in asked})


def read_images(
    parsed: argparse.Namespace, *, batch_size: int | None = None, shuffled: bool = False
) -> "ImageFiles":
    """The images that the arguments name; see :class:`nenni.data.image_files.ImageFiles`."""
    from nenni.core.progress import Progress
    from nenni.data.image_files import ImageFiles

    found = ImageFiles(
        parsed.data, parsed.size, parsed.batch_size if batch_size is None else batch_size,
        examples=getattr(parsed, "examples", None), order=parsed.seed if shuffled else None,
    )  # fmt: skip
    Progress()(found.found)
    return found


def read_network(parsed: argparse.Namespace, images: "ImageFiles | None" = None) -> "nn.Module":
    """The network that FILE and --model name, in eval mode.

    The images tell the shape and the number of classes where neither the file nor --classes does.
    """
    import torch

    from nenni.core.io import foreign_tensors
    from nenni.core.progress import Progress
    from nenni.method.network_file import is_network_file, load
    from nenni.networks.architecture import TORCHVISION
    from nenni.networks.asking import check_ready
    from nenni.networks.build import build
    from nenni.networks.weights import load_published

    if parsed.file is not None and parsed.weights is not None:
        raise UserError("FILE and --weights name the same: give one of them")
    file = parsed.file if parsed.weights is None else parsed.weights
    named = _architecture(parsed, images)
    with torch.random.fork_rng():
        torch.manual_seed(getattr(parsed, "seed", 0))
        if file is not None and not file.startswith(TORCHVISION) and is_network_file(Path(file)):
            return load(file, architecture=named).eval()
        if named is None:
            if file is None:
                raise UserError("give the FILE of a network; --model says which architecture it is")
            if not file.startswith(TORCHVISION):
                foreign_tensors(Path(file))
            raise UserError(f"{file}: holds tensors alone; --model says which architecture it is")
        network = build(named)
    if file is not None:
        load_published(network, file, Progress())
    check_ready(network)
    return network


def check_classes(network: "nn.Module", images: "ImageFiles") -> None:
    """Refuse a folder of fewer classes than a network knows, whose labels would be others.

    Raises
    ------
    UserError
        With both numbers, and the remedy.
    """
    import torch

    from nenni.data.batches import device_of
    from nenni.evaluation.preconditions import check_classifier
    from nenni.networks.copying import copied_or_none

    if not images.files or (trial := copied_or_none(network)) is None:
        return
    try:
        known = check_classifier(trial, torch.zeros(1, *images.shape, device=device_of(network)))
    except UserError:
        return  # told of the images themselves
    if known is not None and known > images.n_classes:
        raise UserError(
            f"{images.path}: has {images.n_classes} subfolders and the network {known} classes, so "
            "that a label would not be the class that it was trained as; make the folders that "
            "lack, with an image each, or give an npz file, which holds labels"
        )


def number(text: str) -> float:
    """A number, or a quotient such as 8/255, of 0 or more."""
    above, slash, below = text.partition("/")
    try:
        value = float(above) / (float(below) if slash else 1)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(
            f"should be a number or a quotient, got {text!r}"
        ) from None
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"should be 0 or more, got {text!r}")
    return value


def count(text: str) -> int:
    """A whole number of 1 or more."""
    return _whole(text, 1)


def seed(text: str) -> int:
    """A whole number of 0 or more."""
    return _whole(text, 0)


def plugin(text: str, flag: str) -> dict[str, Any]:
    """``topk:fraction=0.5`` as a config has it.

    Raises
    ------
    UserError
        If what follows the name is no list of pairs.
    """
    from nenni.core import plain_yaml

    name, _, rest = text.partition(":")
    config: dict[str, Any] = {"name": name}
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        if not equals:
            raise UserError(f"{flag}: should be {PLUGIN}, got {text!r}")
        config[key] = plain_yaml.value(value)
    return config


def _whole(text: str, least: int) -> int:
    if not (text.isdecimal() and len(text) < 20 and least <= int(text) <= LARGEST_WHOLE):
        raise argparse.ArgumentTypeError(
            f"should be a whole number from {least} to {LARGEST_WHOLE}, got {text!r}"
        )
    return int(text)


def _architecture(parsed: argparse.Namespace, images: "ImageFiles | None") -> "Architecture | None":
    import yaml

    from nenni.core import plain_yaml
    from nenni.networks.architecture import Architecture

    text = parsed.model
    if text is None:
        return None
    if text.startswith("{"):
        try:
            text = plain_yaml.value(text)
        except yaml.YAMLError as error:
            raise UserError(f"--model: {text} is not valid YAML") from error
    elif ":" not in text and text not in plugins.names("model"):
        known = ", ".join(sorted({*plugins.names("model")} - {"function", "torchvision"}))
        raise UserError(
            f"--model: unknown model '{text}'; known are: {known}, torchvision:NAME, and "
            "MODULE:FUNCTION for one of your own"
        )
    named = Architecture.read(text, "--model")
    classes = parsed.classes
    if classes is None and images is not None and named.own is None:
        classes = images.n_classes
    shape = None if images is None else images.shape
    return named.over(Architecture(None, shape, classes))
