"""``nenni evaluate``: a suite of attacks on a person's own model and images."""

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nenni.core.progress import Progress
from nenni.run.job import CHECKPOINTS

if TYPE_CHECKING:
    from torch import nn

    from nenni.evaluation.evaluate import Evaluation

EXAMPLE = """example:
  nenni evaluate --model my_module:build --weights w.safetensors --data folder --suite standard

my_module.py holds build(), which returns a torch classifier of images in [0, 1] that gives logits;
its normalisation belongs inside. The folder has one subfolder of images per class; an npz file has
x, bytes (N, H, W, C), and y, whole numbers (N,). A call that was stopped goes on where it was."""


def add(commands: Any) -> None:
    """Add the command's arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "evaluate",
        help="attack a model of your own on images of your own",
        description="Attack a classifier by a suite and print its accuracy under each attack.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model", required=True, metavar="MODULE:FUNCTION",
        help="a function without arguments that returns the network; found from this folder too",
    )  # fmt: skip
    parser.add_argument(
        "--weights", type=Path,
        help="safetensors, also those of nenni.save; or a .pt file of tensors alone",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, required=True, help="folder of images, or npz file")
    parser.add_argument(
        "--suite", default="standard",
        help="quick, standard, full (with AutoAttack), labels, or a YAML file of attacks by name",
    )  # fmt: skip
    parser.add_argument("--norm", choices=("linf", "l2"), default="linf")
    parser.add_argument(
        "--eps", type=_number, default=8 / 255, metavar="E",
        help="radius in units of the [0, 1] input; 8/255 can be written so (the default)",
    )  # fmt: skip
    parser.add_argument("--examples", type=int, help="only the first so many images")
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--size", type=int, help="resize and crop a folder's images to N x N")
    parser.add_argument("--draws", type=int, default=10, help="passes on a randomised model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="results depend on it in last bits")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--diagnose", action="store_true",
        help="look for masked gradients too, on the first batch",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="folder for summary.csv, examples.csv and more")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Run the command."""
    import torch

    from nenni.core import runtime
    from nenni.core.io import write_csv
    from nenni.data.image_files import ImageFiles
    from nenni.evaluation.diagnose import diagnose
    from nenni.evaluation.evaluate import evaluate
    from nenni.networks.models.function import call

    device = runtime.prepare({"threads": parsed.threads, "device": parsed.device})
    suite = _suite(parsed.suite)
    data = ImageFiles(parsed.data, parsed.size, parsed.batch_size)
    images, labels = next(iter(data))
    with torch.random.fork_rng():
        torch.manual_seed(parsed.seed)
        model = call(parsed.model)
    model = _with_weights(model, parsed.weights, images[:1]).to(device).eval()
    progress = Progress()
    found = evaluate(
        model, data, suite, eps=parsed.eps, norm=parsed.norm, examples=parsed.examples,
        seed=parsed.seed, draws=parsed.draws, resume=_checkpoint(parsed), progress=progress,
    )  # fmt: skip
    if parsed.out is not None:
        write_csv(parsed.out / "summary.csv", found.summary)
        write_csv(parsed.out / "examples.csv", found.examples)
    _print(found)
    if parsed.diagnose:
        few = slice(parsed.examples)
        diagnosis = diagnose(
            model, images[few].to(device), labels[few].to(device), eps=parsed.eps,
            norm=parsed.norm, seed=parsed.seed, draws=parsed.draws, progress=progress,
        )  # fmt: skip
        if parsed.out is not None:
            write_csv(parsed.out / "diagnostics.csv", diagnosis.rows)
            write_csv(parsed.out / "diagnostic_curves.csv", diagnosis.curves)
        print(f"\n{diagnosis.rows.to_string(index=False)}")  # noqa: T201
        print(f"\n{diagnosis.verdict} (n = {len(images[few])})")  # noqa: T201


def _print(found: "Evaluation") -> None:
    table = found.summary.copy()
    for column in ("accuracy", "low", "high", "worst_draw"):
        table[column] = [f"{value:.1%}" for value in table[column]]
    if not table["notes"].any():
        table = table.drop(columns="notes")
    print(table.to_string(index=False))  # noqa: T201


def _number(text: str) -> float:
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


def _suite(given: str) -> Any:
    from nenni.adversary.suites import SUITES
    from nenni.run.config_file import read_yaml

    if given in SUITES or not given.endswith((".yaml", ".yml")):
        return given
    return read_yaml(Path(given))


def _with_weights(model: "nn.Module", path: Path | None, example: Any) -> "nn.Module":
    from nenni.core.io import foreign_tensors
    from nenni.method.network_file import is_network_file, load
    from nenni.networks.weights import load_tensors

    if path is None:
        return model
    if is_network_file(path):
        return load(path, model, example)
    load_tensors(model, foreign_tensors(path), path)
    return model


def _checkpoint(parsed: argparse.Namespace) -> Path:
    asked = sorted((k, str(v)) for k, v in vars(parsed).items() if k not in ("run", "out"))
    return CHECKPOINTS / f"evaluate-{hashlib.sha256(repr(asked).encode()).hexdigest()[:24]}.pt"
