"""What this machine computes, as hashes of bytes, to compare with another's part by part.

Each part starts from numbers that are the same bits everywhere, multiples of a power of two, so
that a part that differs says where two machines part, whatever the others do; ``pipeline`` alone is
the whole way from random weights to attacked images, as a run goes it.
"""

import hashlib
import platform
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nenni.adversary.attack_choice import AttackChoice
from nenni.adversary.attacks.apgd import apgd
from nenni.adversary.attacks.pgd import pgd
from nenni.core import instruction_set, processor
from nenni.core.checkpoint import Checkpoint
from nenni.core.runtime import prepare
from nenni.core.seeding import generator, seeded
from nenni.core.square_root import square_root
from nenni.data.split import Images, InMemory
from nenni.method.fit import fit
from nenni.method.injection import inject
from nenni.method.projection.sparse import Sparse
from nenni.method.projection.tap_shared_pca import TapSharedPCA
from nenni.method.selection.n_m import NM
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec
from nenni.networks.models.small_cnn import small_cnn
from nenni.training.objectives.adversarial import Adversarial
from nenni.training.recipe import Recipe
from nenni.training.train import train

SAME_KIND = ("processor", "model", "caches", "libc", "torch", "environment")
"""Columns that say what the bytes of a fingerprint may depend on."""
_DIGITS = 16
_CONVOLUTIONS = (
    (1, 1, 16, 28, 3, 2, 1), (64, 16, 16, 14, 3, 2, 1), (64, 16, 32, 7, 3, 1, 1),
    (8, 3, 64, 32, 3, 1, 1), (8, 64, 64, 16, 3, 1, 1), (8, 64, 128, 16, 3, 2, 1),
    (8, 64, 128, 16, 1, 2, 1), (2, 48, 20, 9, 1, 1, 1), (8, 32, 32, 16, 3, 1, 32),
    (4, 3, 6, 28, 5, 1, 1), (2, 144, 17, 9, 3, 1, 1),
)  # fmt: skip
"""Images, channels in and out, side, kernel, stride, groups: layers of this package's networks."""
_PRODUCTS = ((64, 1568, 128), (1, 128, 10), (250, 577, 65), (37, 1000, 10), (512, 512, 512))
"""Rows, sum over, columns."""


def fingerprint() -> dict[str, str]:
    """What this machine is, and hashes of what it computes, on one thread of the CPU; seconds.

    Returns
    -------
    dict
        ``processor``, its ``model`` and ``caches``, ``libc``, versions of ``python``, ``torch``,
        ``numpy``, ``onednn`` and ``mkl`` (empty where torch has none); ``instruction_set`` as it
        was asked for, ``aten``, what torch took, and ``environment``, what libraries were told;
        ``all``, a hash of all parts, and one for each of :data:`PARTS`. Two machines with the same
        hash computed the same bytes.
    """
    name = instruction_set.in_force()
    prepare({"threads": 1, "device": "cpu", "instruction_set": name})
    hashes = {part: _hash(tensors()) for part, tensors in PARTS.items()}
    together = hashlib.sha256("".join(hashes.values()).encode()).hexdigest()[:_DIGITS]
    return {**_machine(), "instruction_set": name, **_libraries(), "all": together, **hashes}


def is_same_kind(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two fingerprints should agree: the same processor, libraries and settings."""
    return all(one.get(column) == other.get(column) for column in SAME_KIND)


def parts_that_differ(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Parts of two fingerprints whose bytes differ; one that a fingerprint lacks does."""
    return [part for part in PARTS if one.get(part) != other.get(part)]


def _machine() -> dict[str, str]:
    return {
        "processor": processor.name(), "model": processor.model(), "caches": processor.caches(),
        "libc": " ".join(platform.libc_ver()), "python": platform.python_version(),
    }  # fmt: skip


def _libraries() -> dict[str, str]:
    built = torch.__config__.show()
    onednn = re.search(r"MKL-DNN v([\w.]+)", built)
    mkl = re.search(r"Math Kernel Library Version ([\w.]+)", built)
    told = instruction_set.environment()
    return {
        "aten": torch.backends.cpu.get_cpu_capability(),
        "environment": " ".join(f"{key}={value}" for key, value in told.items()),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "onednn": onednn[1] if onednn else "",
        "mkl": mkl[1] if mkl else "",
    }


def _hash(tensors: Iterator[Tensor]) -> str:
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(tensor.detach().contiguous().numpy().tobytes())
    return found.hexdigest()[:_DIGITS]


def _exact(*shape: int, of: str, scale: float = 1.0) -> Tensor:
    """Numbers in [-scale / 2, scale / 2), exact everywhere if the scale is a power of two."""
    return (torch.rand(shape, generator=generator("fingerprint", of)) - 0.5) * scale


def _images(n: int, of: str) -> tuple[Tensor, Tensor]:
    labels = torch.arange(n) % 10
    return _exact(n, 1, 28, 28, of=of) + 0.5, labels


def _network() -> nn.Module:
    """The small CNN with weights that are exact everywhere, of the size of random ones."""
    network = small_cnn((1, 28, 28), 10, channels=[16, 16, 16, 32])
    with torch.no_grad():
        for name, weights in network.named_parameters():
            inputs = weights[0].numel() if weights.dim() > 1 else 64
            halvings = (inputs.bit_length() - 3) // 2
            weights.copy_(_exact(*weights.shape, of=name, scale=2.0**-halvings))
    return network.eval()


def _random_numbers() -> Iterator[Tensor]:
    draws = generator("fingerprint", "random numbers")
    for n in (7, 1000):
        yield torch.rand(n, generator=draws)
        yield torch.randn(n, generator=draws)
        yield torch.empty(n).uniform_(-0.3, 0.3, generator=draws)
        yield torch.randperm(n, generator=draws)
        yield torch.empty(n).bernoulli_(0.3, generator=draws)


def _functions() -> Iterator[Tensor]:
    for x in (_exact(40, 33, of="functions", scale=8), _exact(999, of="doubles", scale=8).double()):
        for function in (torch.exp, torch.tanh, torch.sigmoid, torch.erf, torch.sin, torch.cos):
            yield function(x)
        for function in (torch.log, torch.rsqrt):
            yield function(x.abs() + 2**-20)
        yield square_root(x.abs().float())
        yield (x.abs() + 2**-20).pow(1.7)
        yield torch.softmax(x, -1)
        yield torch.log_softmax(x, -1)


def _sums() -> Iterator[Tensor]:
    x = _exact(24, 17, 29, 31, of="sums", scale=4)
    for y in (x, x.double(), x.transpose(1, 3), x.contiguous(memory_format=torch.channels_last)):
        yield y.sum()
        for dim in (0, 1, 3, (0, 2, 3)):
            yield y.sum(dim)
            yield y.var(dim)
        yield y.norm()
        yield y.cumsum(1)
        yield y.logsumexp(1)


def _matrix_products() -> Iterator[Tensor]:
    for rows, inner, columns in _PRODUCTS:
        a = _exact(rows, inner, of="left", scale=2)
        b = _exact(inner, columns, of="right", scale=2)
        yield a @ b
        yield a @ b[:, 0]
        yield F.linear(a, b.T.contiguous(), b[0])
        yield a.double() @ b.double()
    yield torch.bmm(a.view(8, 64, 512), b.view(8, 512, 64))


def _factorisations() -> Iterator[Tensor]:
    for n in (9, 65, 200):
        a = _exact(2 * n, n, of="factors", scale=2).double()
        gram, right = a.T @ a, _exact(n, 5, of="right", scale=2).double()
        yield torch.linalg.solve(gram, right)
        yield torch.linalg.cholesky(gram)
        yield from torch.linalg.eigh(gram)


def _convolutions() -> Iterator[Tensor]:
    for n, c_in, c_out, side, kernel, stride, groups in _CONVOLUTIONS:
        x = _exact(n, c_in, side, side, of="images", scale=2).requires_grad_()
        w = _exact(c_out, c_in // groups, kernel, kernel, of="kernels").requires_grad_()
        for layout in (torch.contiguous_format, torch.channels_last):
            z = F.conv2d(
                x.contiguous(memory_format=layout), w.contiguous(memory_format=layout),
                stride=stride, padding=kernel // 2, groups=groups,
            )  # fmt: skip
            yield z
            yield from torch.autograd.grad(z, [x, w], _exact(*z.shape, of="gradients", scale=2))


def _normalisations() -> Iterator[Tensor]:
    x = _exact(16, 24, 12, 12, of="normalisations", scale=4).requires_grad_()
    gradient = _exact(*x.shape, of="gradients", scale=2)
    for z in (F.batch_norm(x, None, None, training=True), F.layer_norm(x, x.shape[1:])):
        yield z
        yield from torch.autograd.grad(z, [x], gradient)
    yield F.adaptive_avg_pool2d(x, 1)
    yield F.cross_entropy(x.mean((2, 3)), torch.arange(16), reduction="none")


def _training() -> Iterator[Tensor]:
    yield from _trained(_network(), "training").state_dict().values()


def _fitting() -> Iterator[Tensor]:
    for spec in _specs():
        noisy = inject(_network(), spec, _images(1, "fitting")[0], seed=0)
        fit(noisy, _images(64, "fitting")[0])
        yield from noisy.state_dict().values()


def _passes() -> Iterator[Tensor]:
    """Logits and gradients of injected networks whose W~ were not fitted."""
    images, labels = _images(64, "passes")
    for spec in _specs():
        noisy = inject(_network(), spec, images[:1], seed=0)
        x = images.clone().requires_grad_()
        logits = noisy(x)
        yield logits
        loss = F.cross_entropy(logits, labels)
        yield from torch.autograd.grad(loss, [x, *noisy.parameters()], allow_unused=True)


def _attacks() -> Iterator[Tensor]:
    yield from _attacked(_network())


def _pipeline() -> Iterator[Tensor]:
    with seeded("fingerprint", "initial weights"):
        network = small_cnn((1, 28, 28), 10, channels=[16, 16, 16, 32])
    noisy = inject(_trained(network, "pipeline"), _specs()[0], _images(1, "pipeline")[0], seed=0)
    fit(noisy, _images(64, "pipeline")[0])
    _trained(noisy, "pipeline")
    yield from noisy.state_dict().values()
    yield noisy(_images(64, "held out")[0])
    yield from _attacked(noisy)


def _specs() -> tuple[InjectionSpec, InjectionSpec]:
    return (
        InjectionSpec(selection=TopK(0.5), projection=Sparse(1 / 8)),
        InjectionSpec(selection=NM(2, 4), projection=TapSharedPCA(1 / 2)),
    )


def _trained(network: nn.Module, of: str) -> nn.Module:
    """A network after eight steps of adversarial training, and one validation."""
    recipe = Recipe(
        epochs=2, batch_size=16, lr=0.003, method=Adversarial(), shift=2, eps=0.1,
        attack=AttackChoice("pgd", {"steps": 2, "norm": "linf"}),
    )  # fmt: skip
    data: dict[str, Images] = {
        "train": InMemory.of(*_images(64, of)),
        "val": InMemory.of(*_images(16, of)),
    }
    purpose = ("fingerprint", of)
    learnt = list(network.parameters())
    train(network, data, recipe, purpose, parameters=learnt, checkpoint=Checkpoint())
    return network


def _attacked(network: nn.Module) -> Iterator[Tensor]:
    images, labels = _images(32, "attacked")
    yield pgd(network, images, labels, 1.0, generator("fingerprint", "pgd"), norm="l2", steps=5)
    yield apgd(network, images, labels, 0.1, generator("fingerprint", "apgd"), steps=5, loss="pm")


PARTS: dict[str, Callable[[], Iterator[Tensor]]] = {
    "random_numbers": _random_numbers,
    "functions": _functions,
    "sums": _sums,
    "matrix_products": _matrix_products,
    "factorisations": _factorisations,
    "convolutions": _convolutions,
    "normalisations": _normalisations,
    "training": _training,
    "fitting": _fitting,
    "passes": _passes,
    "attacks": _attacks,
    "pipeline": _pipeline,
}
"""Part -> what it computes."""
