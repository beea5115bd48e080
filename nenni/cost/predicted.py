"""What the cost model says of a deployed network: it is asked as a program, by a file of layers."""

import math
import subprocess
import sys
import tempfile
from pathlib import Path

from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.core.io import read_csv, write_json
from nenni.cost.describe import describe
from nenni.deployment.choosing import described
from nenni.deployment.deploy import EVERYWHERE, deploy

PRESET = "deployed_core"
"""Of hwmodel: one core with these kernels."""
TOTAL = "total"
_BYTE = 8


def predictions(model: nn.Module, images: Tensor) -> dict[str, dict[str, float]]:
    """How long skipping takes over dense INT8, of each layer that can skip and of the network.

    Parameters
    ----------
    model : Module
        Injected, such as :func:`nenni.deploy` takes.
    images : Tensor
        The batch (N, C, H, W).

    Returns
    -------
    dict
        Layer -> ``predicted``, time over that of dense, and ``predicted_crossover``, the share of
        exact tiles up to which it is less. `TOTAL` is the network that skips where that is faster;
        without it where injected layers cannot skip, of whose time the model knows nothing.

    Raises
    ------
    UserError
        If the network cannot be deployed, or the model refuses it.
    """
    deployed = deploy(model, images, skip=EVERYWHERE)
    skipping = described(deployed.simulation, deployed.kernel)
    with tempfile.TemporaryDirectory(prefix="nenni_predicted_") as folder:
        layers, out = Path(folder) / "layers.json", Path(folder) / "crossover.csv"
        write_json(layers, describe(model, images))
        command = [sys.executable, "-m", "hwmodel", str(layers), "--preset", PRESET]
        command += ["--batch", str(len(images)), "--crossover", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UserError(f"hwmodel has no prediction: {done.stderr.strip()}")
        table = read_csv(out)
    at_8 = table[table["bits"] == _BYTE].set_index("layer")
    total, injected = at_8.loc[TOTAL], at_8.drop(index=TOTAL)
    injected.index = injected.index.str.replace("#", ":")
    found = {
        name: {
            "predicted": row["injected_s"] / row["dense_s"],
            "predicted_crossover": 0.0 if math.isnan(row["fraction"]) else row["fraction"],
        }
        for name, row in injected.iterrows()
        if name in skipping
    }
    if found.keys() == set(injected.index):
        saved = (injected["dense_s"] - injected["injected_s"]).clip(lower=0).sum()
        found[TOTAL] = {"predicted": 1 - saved / total["dense_s"]}
    return found
