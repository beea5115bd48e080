"""``nenni bench``: time and memory of an injected network beside its dense self."""

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

from nenni.cli import arguments
from nenni.core.errors import USER_MISTAKE, UserError
from nenni.core.progress import Left, Progress

TEACHES = f"""example:
  nenni bench noisy.safetensors --out bench.csv

Nothing else should run meanwhile. Ratios within one table are what to compare: times hang on the
machine. Dense networks have their batch norms folded and the weights of layers packed ahead;
INT8 is torch's post-training quantisation, whose accuracy is not measured here. A network with
block selection, tap-shared projections and an exact path of 8 bits is also measured as nenni.deploy
makes it: all neurons by its kernels (deployed_dense), and with tiles skipped where that is faster
(deployed). The images are random; --data gives their size where the file does not say it.

{arguments.NETWORK}

{arguments.DATA}"""

_NOTHING = {"seconds": math.nan, "peak_mib": math.nan}


def add(commands: Any) -> None:
    """Add the command's arguments."""
    does = "measure time and memory of an injected network beside dense FP32, bf16 and INT8"
    parser = arguments.command(commands, "bench", does, TEACHES)
    arguments.add_network(parser)
    arguments.add_images(parser, required=False)
    parser.add_argument(
        "--batch", type=arguments.count, nargs="+", default=[1, 64], metavar="N",
        help="images at once (1 64)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="CSV")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Measure every variant in a process of its own, and print the table."""
    if parsed.only is not None:
        print(json.dumps(_measure(parsed)))  # noqa: T201
        return
    import pandas as pd

    from nenni.core.io import write_csv
    from nenni.cost.bench import DEPLOYED, FORWARD, TRAINING

    file, batches = _file(parsed), dict.fromkeys(parsed.batch)
    variants = (*FORWARD, *DEPLOYED, *TRAINING)
    jobs = [(variant, batch) for batch in batches for variant in variants]
    progress, left = Progress(), Left(len(jobs))
    rows: list[dict[str, Any]] = []
    for variant, batch in jobs:
        try:
            found = _in_own_process(parsed, variant, batch)
        except UserError as error:
            if variant not in DEPLOYED:
                raise
            progress(f"{variant}, batch {batch}: {left.after()}; {error}")
            continue
        rows.append({"batch": batch, "variant": variant, **_NOTHING, **found})
        progress(f"{variant}, batch {batch}: {left.after()}{'' if found else '; it failed'}")
    table = pd.DataFrame(rows)
    if table["seconds"].isna().all():
        raise UserError(f"{file}: nothing could be measured (see above)")
    table["images_per_second"] = table["batch"] / table["seconds"]
    training = table["variant"].isin(TRAINING)
    plain = _of(table, "fp32").where(~training, _of(table, "train_plain"))
    table["over_dense"] = table["seconds"] / plain
    print(table.to_string(index=False, float_format=lambda x: f"{x:.4g}"))  # noqa: T201
    if parsed.out is not None:
        write_csv(parsed.out, table)


def _of(table: Any, variant: str) -> Any:
    """The seconds of one variant, for each row's batch."""
    chosen = table[table["variant"] == variant].set_index("batch")["seconds"]
    return table["batch"].map(chosen)


def _measure(parsed: argparse.Namespace) -> dict[str, float]:
    import torch

    from nenni.cost.bench import measure
    from nenni.method.injection import noisy_layers
    from nenni.networks.build import architecture_of

    images = None if parsed.data is None else arguments.read_images(parsed, batch_size=1)
    network = arguments.read_network(parsed, images)
    if not any(noisy_layers(network)):
        raise UserError(
            f"{_file(parsed)}: nothing is injected; give the file of a defence that injects"
        )
    shape = architecture_of(network).input_shape
    assert shape is not None, "injected on an image"
    batch = parsed.batch[0]
    data = torch.rand(batch, *shape, generator=torch.Generator().manual_seed(0))
    return measure(network, data, parsed.only, batch_size=batch)


def _in_own_process(parsed: argparse.Namespace, variant: str, batch: int) -> dict[str, float]:
    """What was measured; nothing if it failed, as where torch.fx cannot trace a network."""
    command = [sys.executable, "-m", "nenni", *parsed.words, "--only", variant]
    done = subprocess.run(
        [*command, "--batch", str(batch)], capture_output=True, text=True, check=False
    )
    if done.returncode == USER_MISTAKE:
        raise UserError(done.stderr.strip().removeprefix("nenni: "))
    if done.returncode:
        sys.stderr.write(done.stderr)
        return {}
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _file(parsed: argparse.Namespace) -> str:
    """The one of FILE and --weights that was given."""
    if (file := parsed.file or parsed.weights) is None:
        raise UserError("give the FILE of an injected network")
    return str(file)
