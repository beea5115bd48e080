"""Time of deployed networks against the best dense INT8, layer by layer and whole, on this machine.

    python workflow/scripts/deployment_speed.py
    python workflow/scripts/deployment_speed.py --device cuda

ResNet-18 on 32x32 images, random weights and images: times hang on neither. Dense layers of 8 bits
are timed by torch's kernels (onednn and x86, packed ahead) and by this package's, and the faster
counts. Whole networks are torch's post-training quantisation, this package's dense network, and
networks whose layers skip everywhere or where that is faster, on a CPU also by torch's products on
gathered patches, which is what skipping costs without kernels of its own. Wall time, the least of
several, taken in turns, each with caches that it has filled itself. On a GPU, whose table is
deployment_gpu.csv, tiles are larger, the rival is torch's bfloat16, since torch has no convolutions
of bytes there, and all that is timed is a CUDA graph. Run it with nothing else running; rows of
another processor, width, batch or number of threads stay.
"""

import argparse
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from _tables import keep
from torch import Tensor, nn

import nenni
from nenni.core import runtime
from nenni.core.errors import UserError
from nenni.core.machine import gpu, processor
from nenni.cost.dense_variants import ENGINES, convolution_of_bytes, quantised
from nenni.deployment.choosing import OF_A_NETWORK, fastest, fastest_kernel, skipping_calls
from nenni.deployment.compiled import TORCH, kernels
from nenni.deployment.deploy import EVERYWHERE, FASTER, NOWHERE, deploy
from nenni.deployment.program import computing
from nenni.deployment.simulation import simulation
from nenni.method.injection import remove
from nenni.networks.copying import copied
from nenni.networks.folding import folded
from nenni.networks.hooks import hooked
from nenni.networks.models.resnet18 import resnet18

EVERY_TILE = 1.0
"""A share at which whole networks alone are timed: what neurons take that leave no tile to skip."""
FRACTIONS = (EVERY_TILE, 0.5, 0.25, 0.1)
TILES, RATIO = {"cpu": (32, 8), "cuda": (64, 64)}, 1 / 8
"""Channels and positions of a tile, by the kind of device."""
FILES = {"cpu": "deployment.csv", "cuda": "deployment_gpu.csv"}
ON_A_GPU = "bfloat16"
"""What torch computes dense layers with on a GPU, which has no engine of bytes."""
_OF_A_LAYER = 0.005
"""Seconds of one measurement."""
WHOLE = "whole network"
SETTING = ["device", "width", "batch", "threads"]
COLUMNS = [*SETTING, "layer", "macs", "fraction", "torch", "dense", "skipping", "where_faster"]
COLUMNS += ["torch_path", "over_best_dense"]


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, nargs="+", default=[64, 16])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--threads", type=int, nargs="+", help="(1 2; on a GPU 1)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--out", type=Path, default=Path("results/reference"))
    arguments = parser.parse_args()
    on_gpu = arguments.device == "cuda"
    runtime.prepare({"threads": 1, "device": arguments.device, "deterministic": False})
    out, name = arguments.out / FILES[arguments.device], gpu() if on_gpu else processor()
    warnings.simplefilter("ignore")  # torch.ao is deprecated, without a successor
    for width in arguments.width:
        for threads in arguments.threads or ([1] if on_gpu else [1, 2]):
            for batch in arguments.batch:
                torch.set_num_threads(threads)
                setting = dict(zip(SETTING, (name, width, batch, threads), strict=True))
                rows = [setting | row for row in measure(width, batch, arguments.device)]
                keep(out, pd.DataFrame(rows, columns=COLUMNS), SETTING)
                for row in (row for row in rows if row["layer"] == WHOLE):
                    print({key: row[key] for key in (*SETTING[1:], "fraction", "over_best_dense")})


@torch.no_grad()
def measure(width: int, batch: int, device: str = "cpu") -> Iterator[dict[str, Any]]:
    """Rows of one network and batch: its injected layers, and the whole, at each fraction."""
    images = torch.rand(batch, 3, 32, 32, generator=torch.Generator().manual_seed(0)).to(device)
    plain = _network(width).to(device)
    by_torch, whole_by_torch = _layers_by_torch(plain, images), _whole_by_torch(plain, images)
    for fraction in FRACTIONS:
        noisy = _injected(plain, deployed_spec(fraction, TILES[device]), images)
        simulated = simulation(noisy, images)
        kernel = fastest_kernel(simulated, images, kernels(device))
        layers = [] if fraction == EVERY_TILE else skipping_calls(simulated, images, kernel)
        for name, layer, codes, added in layers:
            ways = {"dense": layer.exact, "skipping": layer}
            calls = by_torch[name] | {
                way: partial(computing(kernel, of), codes, added) for way, of in ways.items()
            }
            product = layer.exact.product
            macs = product.codes.numel() * len(product.position) * batch
            yield _row(name, fraction, fastest(calls, device, _OF_A_LAYER)) | {"macs": macs}
        skips = {"dense": NOWHERE, "skipping": EVERYWHERE, "where_faster": FASTER}
        calls = {"torch": whole_by_torch} | {
            way: partial(deploy(noisy, images, skip=skip, kernel=kernel), images)
            for way, skip in skips.items()
        }
        if device == "cpu":
            by_torch_path = deploy(noisy, images, skip=EVERYWHERE, kernel=TORCH)
            calls["torch_path"] = partial(by_torch_path, images)
        yield _row(WHOLE, fraction, fastest(calls, device, OF_A_NETWORK))


def _row(layer: str, fraction: float, found: dict[str, float]) -> dict[str, Any]:
    by_torch = min(time for way, time in found.items() if way in ("torch", *ENGINES, ON_A_GPU))
    skipping = found.get("where_faster", found["skipping"])
    row = {"layer": layer, "fraction": fraction, "torch": by_torch}
    row |= {"over_best_dense": min(by_torch, found["dense"]) / skipping}
    return row | {way: time for way, time in found.items() if way in COLUMNS}


def _network(width: int) -> nn.Module:
    torch.manual_seed(0)
    network = resnet18((3, 32, 32), 10, width=width)
    with torch.no_grad():
        for _ in range(3):  # batch norms with statistics
            network(torch.rand(16, 3, 32, 32))
    return network.eval()


def deployed_spec(fraction: float, tile: tuple[int, int] = TILES["cpu"]) -> nenni.InjectionSpec:
    """The injection that is deployed, with a share of exact tiles."""
    return nenni.InjectionSpec(
        nenni.Block(fraction, *tile),
        nenni.TapShared(RATIO),
        exact_bits=8,
        input_bits=8,
        projected_bits=8,
    )


def _injected(plain: nn.Module, spec: nenni.InjectionSpec, images: Tensor) -> nn.Module:
    noisy = nenni.inject(plain, spec, images)
    nenni.fit(noisy, torch.rand(64, 3, 32, 32, generator=torch.Generator().manual_seed(1)))
    return noisy


def _whole_by_torch(plain: nn.Module, images: Tensor) -> Callable[[], Any]:
    channels_last = images.contiguous(memory_format=torch.channels_last)
    if images.is_cuda:
        quick = folded(remove(plain), images[:2]).to(
            torch.bfloat16, memory_format=torch.channels_last
        )
        return partial(quick, channels_last.to(torch.bfloat16))
    return partial(quantised(remove(plain), channels_last), channels_last)


def _layers_by_torch(plain: nn.Module, images: Tensor) -> dict[str, dict[str, Callable[[], Any]]]:
    """Torch's kernels for each convolution, with ReLU and packed weights."""
    found: dict[str, dict[str, Callable[[], Any]]] = {}

    def keep_calls(name: str, layer: nn.Conv2d, x: Tensor) -> None:
        engines = (ON_A_GPU,) if x.is_cuda else ENGINES
        found[name] = {engine: _by_torch(layer, x, engine) for engine in engines}

    handles = [
        layer.register_forward_hook(lambda layer, x, _, name=name: keep_calls(name, layer, x[0]))
        for name, layer in plain.named_modules()
        if isinstance(layer, nn.Conv2d)
    ]
    with hooked(handles):
        plain(images)
    return found


def _by_torch(layer: nn.Conv2d, x: Tensor, engine: str) -> Callable[[], Any]:
    if engine == ON_A_GPU:
        quick = nn.Sequential(copied(layer), nn.ReLU(inplace=True)).to(
            torch.bfloat16, memory_format=torch.channels_last
        )
        return partial(quick, x.to(torch.bfloat16, memory_format=torch.channels_last))
    return convolution_of_bytes(layer, x, engine)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(str(error)) from error
