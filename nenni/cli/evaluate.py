"""``nenni evaluate``: attack a network by a suite."""

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nenni.cli import arguments
from nenni.core.progress import Progress
from nenni.run.job import CHECKPOINTS

if TYPE_CHECKING:
    from nenni.evaluation.suite_result import SuiteResult

TEACHES = f"""examples:
  nenni evaluate noisy.safetensors --data folder
  nenni evaluate weights.pt --model my_module:build --data test.npz --suite quick --out found

{arguments.NETWORK}

{arguments.DATA} A call that was stopped goes on where it was."""


def add(commands: Any) -> None:
    """Add the command's arguments."""
    does = "attack a network by a suite and print its accuracy under each attack"
    parser = arguments.command(commands, "evaluate", does, TEACHES)
    arguments.add_network(parser)
    arguments.add_images(parser)
    arguments.add_amount(parser)
    arguments.add_batch_size(parser, "nenni.evaluation.evaluate", "evaluate")
    add_suite(parser, "standard")
    arguments.add_bound(parser)
    arguments.add_machine(parser)
    parser.add_argument(
        "--least", action="store_true",
        help="only the least over all attacks is wanted: a broken image is attacked no further, "
        "which is several times faster",
    )  # fmt: skip
    parser.add_argument(
        "--diagnose", action="store_true",
        help="look for masked gradients too, on the first batch; see nenni diagnose",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="folder for summary.csv, examples.csv and more")
    parser.set_defaults(run=run)


def add_suite(parser: argparse.ArgumentParser, default: str) -> None:
    """Which attacks."""
    parser.add_argument(
        "--suite", default=default,
        help="quick, card, standard, full (with AutoAttack), labels, or a YAML file of attacks by "
        "name (%(default)s)",
    )  # fmt: skip


def run(parsed: argparse.Namespace) -> None:
    """Run the command."""
    from nenni.cli import diagnose
    from nenni.core.io import write_csv
    from nenni.evaluation.evaluate import evaluate

    device = arguments.prepare(parsed)
    suite = read_suite(parsed.suite)
    images = arguments.read_images(parsed)
    network = arguments.read_network(parsed, images).to(device)
    arguments.check_classes(network, images)
    found = evaluate(
        network, images, suite, eps=parsed.eps, norm=parsed.norm, seed=parsed.seed,
        draws=parsed.draws, least_only=parsed.least, resume=checkpoint(parsed, "evaluate"),
        progress=Progress(),
    )  # fmt: skip
    if parsed.out is not None:
        write_csv(parsed.out / "summary.csv", found.summary)
        write_csv(parsed.out / "examples.csv", found.examples)
        if len(found.persistence):
            write_csv(parsed.out / "persistence.csv", found.persistence)
    _print(found)
    if parsed.diagnose:
        print()  # noqa: T201
        diagnose.diagnose_and_print(parsed, network, next(iter(images)), found.done)


def _print(found: "SuiteResult") -> None:
    table = found.summary.copy()
    for column in ("accuracy", "low", "high", "any_iterate"):
        table[column] = [f"{value:.1%}" for value in table[column]]
    for column in ("forwards", "backwards"):
        table[column] = [f"{value:.0f}" for value in table[column]]
    if not table["notes"].any():
        table = table.drop(columns="notes")
    print(table.to_string(index=False))  # noqa: T201
    if len(found.persistence):
        tries = found.persistence.to_dict("records")
        listed = ", ".join(f"{row['tries']}: {row['accuracy']:.1%}" for row in tries)
        print(f"\nrandomised; accuracy where the attacker may try so often: {listed}")  # noqa: T201


def read_suite(given: str) -> Any:
    """What ``--suite`` names: a suite of the package, or the attacks of a file."""
    from nenni.adversary.suite_attacks import SUITES
    from nenni.run.config_file import read_yaml

    if given in SUITES or not given.endswith((".yaml", ".yml")):
        return given
    return read_yaml(Path(given))


def checkpoint(parsed: argparse.Namespace, command: str) -> Path:
    """File for the attacks that a command has made, until it is done."""
    asked = sorted((k, str(v)) for k, v in vars(parsed).items() if k not in ("run", "out"))
    return CHECKPOINTS / f"{command}-{hashlib.sha256(repr(asked).encode()).hexdigest()[:24]}.pt"
