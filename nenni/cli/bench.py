"""``nenni bench``: time and memory of an injected network beside its dense self."""

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

from nenni.core.errors import USER_MISTAKE, UserError
from nenni.core.progress import Left, Progress

EXAMPLE = """example:
  nenni bench results/mnist5k/experiments/pgd_at/topk_50/seed0/finetuned.safetensors --out bench.csv

Nothing else should run meanwhile. Ratios within one table are what to compare: times hang on the
machine. Dense networks have their batch norms folded and the weights of layers packed ahead;
INT8 is torch's post-training quantisation, whose accuracy is not measured here."""

_NOTHING = {"seconds": math.nan, "peak_mib": math.nan}


def add(commands: Any) -> None:
    """Add the command's arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "bench",
        help="measure time and memory of an injected network beside dense FP32, bf16 and INT8",
        description="Measure an injected network, as it runs today, beside its dense self.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("weights", type=Path, help="an injected network that the workflow wrote")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 64], metavar="N")
    parser.add_argument("--out", type=Path, help="CSV")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Measure every variant in a process of its own, and print the table."""
    if any(batch < 1 for batch in parsed.batch):
        raise UserError("--batch should be whole numbers of 1 or more")
    if parsed.only is not None:
        print(json.dumps(_measure(parsed.weights, parsed.only, parsed.batch[0])))  # noqa: T201
        return
    import pandas as pd

    from nenni.core.io import write_csv
    from nenni.cost.bench import FORWARD, TRAINING

    batches = dict.fromkeys(parsed.batch)
    jobs = [(variant, batch) for batch in batches for variant in (*FORWARD, *TRAINING)]
    progress, left = Progress(), Left(len(jobs))
    rows: list[dict[str, Any]] = []
    for variant, batch in jobs:
        found = _in_own_process(parsed.weights, variant, batch)
        rows.append({"batch": batch, "variant": variant, **_NOTHING, **found})
        progress(f"{variant}, batch {batch}: {left.after()}{'' if found else '; it failed'}")
    table = pd.DataFrame(rows)
    if table["seconds"].isna().all():
        raise UserError(f"{parsed.weights}: nothing could be measured (see above)")
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


def _measure(weights: Path, variant: str, batch: int) -> dict[str, float]:
    from nenni.cost.bench import measure
    from nenni.method.injection import noisy_layers
    from nenni.method.network_file import load
    from nenni.networks.build import architecture_of

    model = load(weights)
    if not any(noisy_layers(model)):
        raise UserError(f"{weights}: nothing is injected; give the file of a defence that injects")
    return measure(model, variant, batch, architecture_of(model).input_shape or ())


def _in_own_process(weights: Path, variant: str, batch: int) -> dict[str, float]:
    """What was measured; nothing if it failed, as where torch.fx cannot trace a network."""
    command = [sys.executable, "-m", "nenni", "bench", str(weights), "--only", variant]
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
