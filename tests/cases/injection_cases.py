"""Injections as layers.json has them, by short words for the kinds of their parts."""

from pathlib import Path
from typing import Any

import pytest

import hwmodel
from hwmodel.hypothetical import injected, read_granularity
from hwmodel.network_spec import Network

INJECTION: dict[str, Any] = {
    "projection": "sparse",
    "selection": "topk",
    "noise": "approximation",
    "k": 18,
    "k_c": None,
    "nonzeros": 864,
    "weight_bits": 4,
    "input_bits": 4,
    "projected_bits": 4,
    "fraction": 0.5,
    "measured_fraction": 0.5,
    "occupancy": None,
    "loads": None,
    "normalise": False,
}
TRIVIAL = {"all": 1.0, "none": 0.0}
REAL = ("gaussian", "tap_shared_pca")
RANKED = ("topk", "inverted", "oracle")


def injection_dict(changes: dict[str, Any], layer: dict[str, Any]) -> dict[str, Any]:
    """The example injection with changes, for a layer given as JSON data.

    ``projection`` and ``noise`` may be the names of plugins, ``selection`` as well, or ``2:4`` for
    N:M and ``16x8`` for blocks. ``algorithm`` and ``pool`` are those of the parts.
    """
    found = {**INJECTION, **changes}
    algorithm, pool = found.pop("algorithm", "quickselect"), found.pop("pool", 1)
    if isinstance(word := found["selection"], str):
        found["fraction"] = TRIVIAL.get(word, found["fraction"])
        found["selection"] = selection_dict(word, layer["out_channels"])
        if word in RANKED:
            found["selection"]["algorithm"] = algorithm
    if isinstance(word := found["projection"], str):
        found["projection"] = projection_dict(word, found, layer)
    if isinstance(word := found["noise"], str):
        found["noise"] = noise_dict(word, pool)
    return found


def projection_dict(word: str, sizes: dict[str, Any], layer: dict[str, Any]) -> dict[str, Any]:
    """P of so many rows: indices of columns and signs, or of rows and signs for a count sketch."""
    channels = layer["in_channels"] // layer["groups"]
    height, width = layer["kernel_size"]
    columns = channels * height * width if sizes["k_c"] is None else channels
    indexed = sizes["k"] if word == "count_sketch" else columns
    bits = len(f"{indexed - 1:b}") if indexed > 1 else 0
    real = word in REAL
    return {"name": word, "real": real, "nonzero_bits": None if real else bits + 1}


def selection_dict(word: str, neurons: int) -> dict[str, Any]:
    """What choosing takes at one position of so many neurons."""
    found: dict[str, Any] = {
        "name": word, "judges": "approximate", "algorithm": None, "comparisons": 0, "additions": 0,
        "tile": {"channels": 1, "positions": 1}, "n_of_m": None, "adjustable": True, "randomised": False,
    }  # fmt: skip
    if ":" in word:
        n, m = map(int, word.split(":"))
        sizes = [len(range(neurons)[start : start + m]) for start in range(0, neurons, m)]
        pairs = sum(size * (size - 1) // 2 for size in sizes)
        changes = {"name": "n_m", "comparisons": pairs, "n_of_m": [n, m], "adjustable": False}
        return found | changes
    if word[0].isdigit():
        channels, positions = map(int, word.split("x"))
        tile = {"channels": channels, "positions": positions}
        return found | {"name": "block", "additions": neurons, "tile": tile}
    match word:
        case "oracle":
            found["judges"] = "exact"
        case "threshold":
            found["comparisons"] = neurons
        case "channel":
            found |= {"additions": neurons, "tile": {"channels": 1, "positions": None}}
        case "random":
            found |= {"judges": "nothing", "randomised": True}
        case "all" | "none":
            tile = {"channels": None, "positions": None}
            found |= {"judges": "nothing", "tile": tile, "adjustable": False}
    return found


def noise_dict(word: str, pool: int = 1) -> dict[str, Any]:
    """What the others get."""
    added = word in ("gaussian", "uniform")
    uses = "exact" if added else "nothing" if word == "zero" else "approximate"
    randomised = added or word == "resample"
    return {"name": word, "uses": uses, "randomised": randomised, "pool": pool}


def with_method(network: Network, granularity: str = "1x1", **changes: Any) -> Network:
    """The network as if injected, with changes to the choices."""
    chosen = {"projection": "ternary:shared", "ratio": 0.125, "fraction": 0.25} | changes
    return injected(network, granularity=read_granularity(granularity), **chosen)


def refusal(path: Path, text: str | bytes) -> str:
    """The one line in which a file of this text is refused."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(hwmodel.LayerSpecError) as caught:
        hwmodel.load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)
