"""Time of PGD-20 over its limit, 20 x (forward + input gradient) of the plain model.

    python workflow/scripts/attack_speed.py --weights weights --data data

One thread, one process: calls alternate, the fastest of each counts. The small CNN and ResNet-18 at
32x32 have random weights and images; ResNet-20 is trained (github.com/akamaster/
pytorch_resnet_cifar10) and gets CIFAR-10's test images, from ``data/cifar10/test.npz``, so that its
images break as those of an undefended network do. Every one is injected too. foolbox and
torchattacks are measured where they are installed. Run it with nothing else running.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from _networks import read_images, read_network
from torch import Tensor, nn

import nenni
from nenni.adversary.attacks.pgd import pgd
from nenni.adversary.fast_copy import faster
from nenni.core import runtime
from nenni.core.io import write_csv
from nenni.method.injection import inject
from nenni.networks.models.resnet18 import resnet18
from nenni.networks.models.small_cnn import small_cnn

EPS, STEPS = 8 / 255, 20


def limit(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    """A forward pass and the gradient for the images, so many times, and nothing else."""
    for p in model.parameters():
        p.requires_grad_(False)
    for _ in range(STEPS):
        x = images.detach().requires_grad_()
        torch.autograd.grad(F.cross_entropy(model(x), labels, reduction="sum"), x)


def ours(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    """PGD-20 as it is."""
    pgd(model, images, labels, EPS, torch.Generator().manual_seed(0), steps=STEPS)


def leaving(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    """PGD-20 whose broken images leave the batch."""
    draws = torch.Generator().manual_seed(0)
    pgd(model, images, labels, EPS, draws, steps=STEPS, leave_broken=True)


def ever_broken(model: nn.Module, images: Tensor, labels: Tensor, *, leave: bool = False) -> float:
    """Share of the images that PGD-20 breaks at any step, or by images that leave once broken."""
    broken = torch.zeros(len(images), dtype=torch.bool)

    class Watched(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = model(x)
            if not leave:
                broken.logical_or_(logits.argmax(1) != labels)
            return logits

    draws = torch.Generator().manual_seed(0)
    network = Watched()
    found = pgd(network, images, labels, EPS, draws, steps=STEPS, leave_broken=leave)
    if leave:
        broken = model(found).argmax(1) != labels
    else:
        network(found)
    return float(broken.double().mean())


def by_torchattacks(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    """PGD-20 of torchattacks."""
    import torchattacks

    torchattacks.PGD(model, eps=EPS, alpha=2.5 * EPS / STEPS, steps=STEPS)(images, labels)


def by_foolbox(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    """PGD-20 of foolbox."""
    import foolbox

    attack = foolbox.attacks.LinfPGD(rel_stepsize=2.5 / STEPS, steps=STEPS)
    attack(foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu"), images, labels, epsilons=EPS)


def networks(batch: int, weights: Path, data: Path) -> dict[str, tuple[nn.Module, Tensor, Tensor]]:
    """Name -> network in eval mode, images, and its own predictions as labels."""
    torch.manual_seed(0)
    plain = {
        "small_cnn": (small_cnn((1, 28, 28), 10), torch.rand(batch, 1, 28, 28)),
        "resnet18": (resnet18((3, 32, 32), 10), torch.rand(batch // 2, 3, 32, 32)),
        "resnet20": (read_network(weights, "resnet20"), read_images(data, "test")[0][:batch]),
    }
    with torch.no_grad():
        return {n: (m.eval(), x, m.eval()(x).argmax(1)) for n, (m, x) in plain.items()}


def fastest(calls: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Fastest time of each call, taken in turns, after one that does not count."""
    best = dict.fromkeys(calls, float("inf"))
    for repeat in range(repeats + 1):
        for name, call in calls.items():
            started = time.thread_time()
            call()
            if repeat:
                best[name] = min(best[name], time.thread_time() - started)
    return best


def others() -> dict[str, Callable[[nn.Module, Tensor, Tensor], None]]:
    """The libraries that are installed here."""
    known = {"torchattacks": by_torchattacks, "foolbox": by_foolbox}
    return {name: call for name, call in known.items() if find_spec(name)}


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="folder of resnet20-*.th")
    parser.add_argument("--data", type=Path, required=True, help="folder of cifar10/test.npz")
    parser.add_argument("--batch", type=int, default=64, help="half for ResNet-18")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/reference/attack_speed.csv"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    runtime.keep_freed_memory()
    rows = []
    for name, (model, images, labels) in networks(
        arguments.batch, arguments.weights, arguments.data
    ).items():
        spec = nenni.InjectionSpec(nenni.TopK(0.5), nenni.Sparse(1 / 8))
        injected = inject(model, spec, images[:1])
        nenni.fit(injected, images)
        quick = faster(model, images[:8])
        broken = {leave: ever_broken(quick, images, labels, leave=leave) for leave in (False, True)}
        calls = {
            "limit": partial(limit, model, images, labels),
            "pgd": partial(ours, model, images, labels),
            "pgd, faster copy": partial(ours, quick, images, labels),
            "pgd, faster copy, leaving": partial(leaving, quick, images, labels),
            "pgd, injected": partial(ours, injected, images, labels),
            "limit, injected": partial(limit, injected, images, labels),
        }
        calls |= {other: partial(call, model, images, labels) for other, call in others().items()}
        times = fastest(calls, arguments.repeats)
        for what, seconds in times.items():
            ratio = round(seconds / times["limit"], 3)
            rows.append({"network": name, "what": what, "over_limit": ratio})
            if what.startswith("pgd, faster copy"):
                rows[-1]["broken"] = broken[what.endswith("leaving")]
            print(rows[-1], flush=True)
        write_csv(arguments.out, pd.DataFrame(rows))


if __name__ == "__main__":
    main()
