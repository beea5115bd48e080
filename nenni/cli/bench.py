"""``nenni bench``: time and memory of an injected network beside its dense self."""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

from nenni.cli import arguments
from nenni.core.errors import USER_MISTAKE, UserError
from nenni.core.progress import Left, Progress

TEACHES = f"""example:
  nenni bench noisy.safetensors --out bench.csv

Seconds of a batch are those of the processor, over all threads, and on the clock (wall_seconds,
whose ratios are over_dense, to FP32, and over_int8, to the faster of torch's and our dense INT8);
peak_mib is what a pass adds to memory. Nothing else should run meanwhile. Ratios within one table
are what to compare: times hang on the machine. Dense networks have their batch norms folded and
the weights of layers packed ahead; INT8 is torch's post-training quantisation, whose accuracy is
not measured here.

A network with block selection, tap-shared projections and an exact path of 8 bits is also measured
as nenni.deploy makes it: all neurons by its kernels (deployed_dense), and with tiles skipped where
that is faster (deployed). So are its layers, each alone, beside the convolution by torch. crossover
is the share of exact tiles up to which a layer that skips is faster than deployed_dense, by a line
through its times at three shares. predicted is what the cost model says of over_deployed_dense, and
predicted_crossover of the share, by hwmodel's preset deployed_core: one core of one kind, so that
rows of more threads have none. How near such predictions come is in docs/deploy.md. The images are
random; --data gives their size where the file does not say it.

{arguments.NETWORK}

{arguments.DATA}"""

_NOTHING = {"seconds": math.nan, "wall_seconds": math.nan, "peak_mib": math.nan}
_LAYERS, _PREDICTED = "deployed_layers", "predicted"
_WHOLE = "whole network"
_SETTING = ["batch", "threads", "layer"]
"""In which variants are compared."""
_OF_BOTH = ["over_int8", "over_deployed_dense", "predicted"]
_OF_WHOLE = [
    "batch", "threads", "variant", "seconds", "wall_seconds", "peak_mib", "images_per_second",
    "over_dense", *_OF_BOTH,
]  # fmt: skip
_OF_LAYER = [*_OF_BOTH, "crossover", "predicted_crossover"]


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
    parser.add_argument(
        "--threads", type=arguments.count, nargs="+", default=[1, 2], metavar="N",
        help="threads (1 2)",
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

    file = _file(parsed)
    settings = list(product(dict.fromkeys(parsed.threads), dict.fromkeys(parsed.batch)))
    variants = (*FORWARD, *DEPLOYED, _LAYERS, _PREDICTED, *TRAINING)
    jobs = [
        (variant, threads, batch)
        for threads, batch in settings
        for variant in variants
        if variant != _PREDICTED or threads == 1  # predictions are of one core
    ]
    progress, left = Progress(), Left(len(jobs))
    rows: list[dict[str, Any]] = []
    predicted: list[dict[str, Any]] = []
    for variant, threads, batch in jobs:
        told = f"{variant}, batch {batch}, {threads} thread{'s' * (threads != 1)}"
        try:
            found = _in_own_process(parsed, variant, threads, batch)
        except UserError as error:
            if variant not in (*DEPLOYED, _LAYERS, _PREDICTED):
                raise
            progress(f"{told}: {left.after()}; {error}")
            continue
        about = {"batch": batch, "threads": threads}
        if variant == _LAYERS:
            rows += [about | _NOTHING | row for row in _of_layers(found or {})]
        elif variant == _PREDICTED:
            predicted += [about | row for row in _of_model(found or {})]
        else:
            rows.append(about | {"variant": variant, "layer": _WHOLE} | _NOTHING | (found or {}))
        progress(f"{told}: {left.after()}{'; it failed' if found is None else ''}")
    table = pd.DataFrame(rows)
    if table["wall_seconds"].isna().all():
        raise UserError(f"{file}: nothing could be measured (see above)")
    table = _compared(table, pd.DataFrame(predicted))
    for part in _shown(table):
        print(part.to_string(index=False, na_rep="", float_format=lambda x: f"{x:.4g}"))  # noqa: T201
    if parsed.out is not None:
        write_csv(parsed.out, table)


def _compared(table: Any, predicted: Any) -> Any:
    """The table with its ratios, and what the cost model says beside what skips."""
    import pandas as pd

    from nenni.cost.bench import DEPLOYED, TRAINING

    alone, training = table["layer"] != _WHOLE, table["variant"].isin(TRAINING)
    table["images_per_second"] = (table["batch"] / table["wall_seconds"]).where(~alone)
    plain = _of(table, "fp32").where(~training, _of(table, "train_plain"))
    table["over_dense"] = table["wall_seconds"] / plain
    int8 = pd.concat([_of(table, "int8"), own := _of(table, DEPLOYED[0])], axis=1).min(axis=1)
    table["over_int8"] = (table["wall_seconds"] / int8).where(~training)
    skipping = table["variant"] == DEPLOYED[1]
    table["over_deployed_dense"] = (table["wall_seconds"] / own).where(skipping)
    if predicted.empty:
        predicted = pd.DataFrame(columns=[*_SETTING, "predicted", "predicted_crossover"])
    table = table.merge(predicted.assign(variant=DEPLOYED[1]), "left", [*_SETTING, "variant"])
    return table if "crossover" in table else table.assign(crossover=math.nan)


def _shown(table: Any) -> Iterator[Any]:
    """Whole networks, and the layers with a line each: seconds of each way, ratios of skipping."""
    from nenni.cost.bench import DEPLOYED

    whole = table["layer"] == _WHOLE
    yield table.loc[whole, [c for c in _OF_WHOLE if table.loc[whole, c].notna().any()]]
    if (layers := table[~whole]).empty:
        return
    seconds = layers.pivot(index=_SETTING, columns="variant", values="wall_seconds")
    skipping = layers[layers["variant"] == DEPLOYED[1]].set_index(_SETTING)
    wide = seconds[[*dict.fromkeys(layers["variant"])]].join(skipping[_OF_LAYER])
    yield wide.loc[skipping.index].reset_index()


def _of_layers(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of each layer and way; its crossover stands with the time that it is of."""
    from nenni.cost.bench import DEPLOYED

    for layer, times in found.items():
        for variant, seconds in times["seconds"].items():
            row = {"variant": variant, "layer": layer, "wall_seconds": seconds}
            yield row | ({"crossover": times["crossover"]} if variant == DEPLOYED[1] else {})


def _of_model(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of what the cost model says."""
    from nenni.cost.predicted import TOTAL

    for layer, told in found.items():
        yield {"layer": _WHOLE if layer == TOTAL else layer} | told


def _of(table: Any, variant: str) -> Any:
    """The seconds on the clock of one variant, for each row's setting."""
    import pandas as pd

    chosen = table[table["variant"] == variant].set_index(_SETTING)["wall_seconds"]
    here = pd.MultiIndex.from_frame(table[_SETTING])
    return pd.Series(chosen.reindex(here).to_numpy(), index=table.index)


def _measure(parsed: argparse.Namespace) -> dict[str, Any]:
    import torch

    from nenni.cost.bench import measure, measure_layers
    from nenni.cost.predicted import predictions
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
    how = {"batch_size": batch, "threads": parsed.threads[0]}
    if parsed.only == _PREDICTED:
        return predictions(network, data)
    if parsed.only == _LAYERS:
        return {name: asdict(times) for name, times in measure_layers(network, data, **how).items()}
    return measure(network, data, parsed.only, **how)


def _in_own_process(
    parsed: argparse.Namespace, variant: str, threads: int, batch: int
) -> dict[str, Any] | None:
    """What was measured; None if it failed, as where torch.fx cannot trace a network."""
    command = [sys.executable, "-m", "nenni", *parsed.words, "--only", variant]
    done = subprocess.run(
        [*command, "--batch", str(batch), "--threads", str(threads)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == USER_MISTAKE:
        raise UserError(done.stderr.strip().removeprefix("nenni: "))
    if done.returncode:
        sys.stderr.write(done.stderr)
        return None
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _file(parsed: argparse.Namespace) -> str:
    """The one of FILE and --weights that was given."""
    if (file := parsed.file or parsed.weights) is None:
        raise UserError("give the FILE of an injected network")
    return str(file)
