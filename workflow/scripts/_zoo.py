"""Small networks whose robustness is known: honest ones, and ones masked on purpose.

All are trained here, in seconds, on the digits that scikit-learn carries in full size
(:mod:`nenni.data.datasets.mnist5k`). A masked network is an honest one behind something that
misleads attacks and hardly changes what it answers; its reference is the same network without.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import nenni
from nenni.adversary.attacks.pgd import pgd
from nenni.data.datasets.mnist5k import mnist5k
from nenni.networks.models.small_cnn import small_cnn

EPS = 0.1
"""L-inf radius at which the zoo is judged."""
_TRAINED_ON = 1500


@dataclass(frozen=True)
class Known:
    """A network, and the same without its mask, if it has one."""

    network: nn.Module
    reference: nn.Module


@cache
def digits() -> tuple[Tensor, Tensor]:
    """All digits in a random order: the first are trained on, the last for tests."""
    train = mnist5k().train
    images, labels = torch.from_numpy(train.pixels), torch.from_numpy(train.labels)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(11))
    return images[order].float() / 255, labels[order]


def held_out(n: int) -> tuple[Tensor, Tensor]:
    """Images and labels that no network was trained on."""
    images, labels = digits()
    return images[-n:], labels[-n:]


def fitted(build: Callable[[], nn.Module], *, eps: float = 0.0, epochs: int = 8) -> nn.Module:
    """A network trained on a few digits, adversarially where eps is above 0."""
    images, labels = (part[:_TRAINED_ON] for part in digits())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build()
        optimiser = torch.optim.Adam(model.parameters(), 2e-3)
        draws = torch.Generator().manual_seed(0)
        for epoch in range(epochs):
            radius = eps * min(1, (epoch + 1) / (epochs / 2))
            for rows in torch.randperm(_TRAINED_ON, generator=draws).split(50):
                x, y = images[rows], labels[rows]
                if eps:
                    x = pgd(model, x, y, radius, draws, steps=5)
                optimiser.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimiser.step()
    return model.eval()


def _cnn(activation: Callable[[], nn.Module] = nn.ReLU, pool: nn.Module | None = None) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2), activation(), nn.Conv2d(8, 16, 3), activation(),
        pool or nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 32), activation(), nn.Linear(32, 10),
    )  # fmt: skip


def _normed() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2),
        nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(576, 10),
    )  # fmt: skip


class Residual(nn.Module):
    """Two blocks with shortcuts."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 12, 3, stride=2, padding=1)
        self.first, self.second = (nn.Conv2d(12, 12, 3, padding=1) for _ in range(2))
        self.readout = nn.Linear(12 * 49, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = self.stem(x).relu()
        x = x + self.first(x).relu()
        x = F.avg_pool2d(x + self.second(x).relu(), 2)
        return self.readout(x.flatten(1))  # type: ignore[no-any-return]


class Attentive(nn.Module):
    """Rows of pixels as tokens, one layer of attention."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.place = nn.Linear(28, 32), nn.Parameter(torch.zeros(28, 32))
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
        self.readout = nn.Linear(32 * 28, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        tokens = self.layer(self.embed(x[:, 0]) + self.place)
        return self.readout(tokens.flatten(1))  # type: ignore[no-any-return]


class Noisy(nn.Module):
    """Gaussian noise on the input of a network that was trained with it or without."""

    def __init__(self, network: nn.Module, deviation: float) -> None:
        super().__init__()
        self.network, self.deviation = network, deviation

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a noisy copy."""
        return self.network(x + self.deviation * torch.randn_like(x))  # type: ignore[no-any-return]


class Rounded(nn.Module):
    """The input rounded to some levels, its gradient passed through: honest about what it does."""

    def __init__(self, network: nn.Module, levels: int) -> None:
        super().__init__()
        self.network, self.levels = network, levels

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the rounded input."""
        rounded = (x * self.levels).round() / self.levels
        return self.network(x + (rounded - x).detach())  # type: ignore[no-any-return]


def _injected(selection: object, **choices: object) -> nn.Module:
    base, (images, _) = _standard(), digits()
    spec = nenni.InjectionSpec(selection, nenni.Sparse(0.5), normalise=False, **choices)  # type: ignore[arg-type]
    network = nenni.inject(base, spec, images[:1])
    nenni.fit(network, images[:500])
    return network


@cache
def _standard() -> nn.Module:
    return fitted(partial(small_cnn, (1, 28, 28), 10, channels=[8, 8, 16, 16], hidden=32))


@cache
def _robust() -> nn.Module:
    return fitted(
        partial(small_cnn, (1, 28, 28), 10, channels=[8, 8, 16, 16], hidden=32), eps=EPS, epochs=12
    )


HONEST: dict[str, Callable[[], nn.Module]] = {
    "small_cnn": _standard,
    "small_cnn_adversarial": _robust,
    "relu": lambda: fitted(_cnn),
    "relu_adversarial": lambda: fitted(_cnn, eps=EPS, epochs=12),
    "softplus": lambda: fitted(partial(_cnn, nn.Softplus)),
    "tanh": lambda: fitted(partial(_cnn, nn.Tanh)),
    "gelu_adversarial": lambda: fitted(partial(_cnn, nn.GELU), eps=EPS, epochs=12),
    "leaky": lambda: fitted(partial(_cnn, nn.LeakyReLU)),
    "average_pool": lambda: fitted(partial(_cnn, pool=nn.AvgPool2d(2))),
    "batch_norm": lambda: fitted(_normed),
    "batch_norm_adversarial": lambda: fitted(_normed, eps=EPS, epochs=12),
    "residual": lambda: fitted(Residual),
    "residual_adversarial": lambda: fitted(Residual, eps=EPS, epochs=12),
    "attention": lambda: fitted(Attentive),
    "linear": lambda: fitted(lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10))),
    "mlp_adversarial": lambda: fitted(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10)),
        eps=EPS, epochs=12,
    ),
    "logits_times_3": lambda: Scaled(_standard(), 3.0).eval(),
    "rounded_input": lambda: Rounded(_standard(), 64).eval(),
    "noise_on_the_input": lambda: Noisy(_robust(), 0.1).eval(),
    "random_selection": lambda: _injected(nenni.Random(0.5)),
}  # fmt: skip
"""Name -> a network that hides nothing."""


class Scaled(nn.Module):
    """Logits times a number."""

    def __init__(self, network: nn.Module, factor: float) -> None:
        super().__init__()
        self.network, self.factor = network, factor

    def forward(self, x: Tensor) -> Tensor:
        """Scaled logits."""
        return self.factor * self.network(x)  # type: ignore[no-any-return]


class Behind(nn.Module):
    """A network behind a function of the input, or before one of its logits."""

    def __init__(
        self,
        network: nn.Module,
        before: Callable[[Tensor], Tensor] = lambda x: x,
        after: Callable[[Tensor], Tensor] = lambda z: z,
    ) -> None:
        super().__init__()
        self.network, self.before, self.after = network, before, after

    def forward(self, x: Tensor) -> Tensor:
        """Masked logits."""
        return self.after(self.network(self.before(x)))


class GradientOf(nn.Module):
    """The values of one network with the gradient of another."""

    def __init__(self, network: nn.Module, other: nn.Module) -> None:
        super().__init__()
        self.network, self.other = network, other

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        with torch.no_grad():
            value = self.network(x)
        other = self.other(x)
        return value + other - other.detach()  # type: ignore[no-any-return]


class Remembering(nn.Module):
    """Answers to what is near an image that it saw as it answered to that."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.seen: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        """Logits, or those of the nearest image seen."""
        z = self.network(x)
        for images, logits in self.seen:
            distance = (x.detach()[:, None] - images).flatten(2).abs().amax(2)
            nearest = distance.min(1)
            known = nearest.values <= 0.15
            z = torch.where(known[:, None], logits[nearest.indices] + 0 * z, z)
        if len(self.seen) < 4:
            self.seen.append((x.detach().clone(), z.detach().clone()))
        return z  # type: ignore[no-any-return]


class InCompany(nn.Module):
    """Rounds its input without a gradient where it is asked about many images at once."""

    def __init__(self, network: nn.Module, many: int) -> None:
        super().__init__()
        self.network, self.many = network, many

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        mean = x.mean((0, 1), keepdim=True)
        x = torch.where((x - mean).abs() < 0.3, mean, x).detach() if len(x) >= self.many else x
        return self.network(x)  # type: ignore[no-any-return]


class Decoy(nn.Module):
    """An eleventh class that is always a little behind the first."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Eleven logits."""
        z = self.network(x) * 0.05
        return torch.cat([z, z.amax(1, keepdim=True) - 1e-3], 1)


def _cut(x: Tensor) -> Tensor:
    return x.detach()


class _Turned(torch.autograd.Function):
    """The input, with a gradient that is changed on its way back."""

    @staticmethod
    def forward(ctx: object, x: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.change = change  # type: ignore[attr-defined]
        return x.clone()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return ctx.change(gradient), None  # type: ignore[attr-defined]


def _turned(change: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: _Turned.apply(x, change)  # type: ignore[no-any-return]


def _levels(width: float) -> Callable[[Tensor], Tensor]:
    return lambda x: (x / width).round() * width


def _through(width: float) -> Callable[[Tensor], Tensor]:
    return lambda x: x + ((x / width).round() * width - x).detach()


def _ranks(z: Tensor) -> Tensor:
    return z.argsort(1).argsort(1).to(z) + 0 * z


def _votes(z: Tensor) -> Tensor:
    return F.one_hot(z.argmax(1), z.shape[1]).to(z) + 0 * z


def _shattered(x: Tensor) -> Tensor:
    return x + 0.002 * torch.sin(5000 * x)


def _steep(x: Tensor) -> Tensor:
    return 0.5 + 0.5 * torch.tanh(50 * (x - 0.5))


def _masked(
    before: Callable[[Tensor], Tensor] = lambda x: x,
    after: Callable[[Tensor], Tensor] = lambda z: z,
    honest: Callable[[Tensor], Tensor] | None = None,
    base: Callable[[], nn.Module] = _standard,
) -> Callable[[], Known]:
    """A base behind a mask; its reference is the base, behind what the mask does honestly."""

    def build() -> Known:
        reference = base() if honest is None else Behind(base(), honest)
        return Known(Behind(base(), before, after).eval(), reference.eval())

    return build


def _wrapped(wrap: Callable[[nn.Module], nn.Module]) -> Callable[[], Known]:
    return lambda: Known(wrap(_standard()).eval(), _standard())


def _another() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return small_cnn((1, 28, 28), 10, channels=[8, 8, 16, 16], hidden=32).eval()


MASKED: dict[str, Callable[[], Known]] = {
    "logits_times_100": _masked(after=lambda z: 100 * z),
    "probabilities": _masked(after=lambda z: (20 * z).softmax(1)),
    "no_gradient": _masked(before=lambda x: _cut(x) + 0 * x),
    "half_the_gradient": _masked(before=_turned(lambda g: g * (g > 0))),
    "gradient_turned": _masked(before=_turned(lambda g: -g)),
    "gradient_mirrored": _masked(before=_turned(lambda g: g.flip(3))),
    "gradient_of_noise": _masked(before=_turned(lambda g: torch.sin(1e5 * g))),
    "gradient_of_another": _wrapped(lambda f: GradientOf(f, _another())),
    "flat_and_of_another": lambda: Known(
        GradientOf(Behind(_standard(), _levels(0.1)), _another()).eval(),
        Behind(_standard(), _through(0.1)).eval(),
    ),
    "rounded_without": _masked(
        before=lambda x: _levels(1 / 16)(x) + 0 * x, honest=_through(1 / 16)
    ),
    "black_and_white": _masked(
        before=lambda x: (x > 0.5).to(x) + 0 * x,
        honest=lambda x: x + ((x > 0.5).to(x) - x).detach(),
    ),
    "rounded_logits": _masked(after=lambda z: z.round() + 0 * z),
    "votes": _masked(after=_votes),
    "ranks": _masked(after=_ranks),
    "shattered": _masked(before=_shattered),
    "root_and_square": _masked(before=lambda x: x.sqrt().square()),
    "remembers": _wrapped(Remembering),
    "in_company": _wrapped(lambda f: InCompany(f, 20)),
    "decoy": _wrapped(Decoy),
    "saturated": _masked(
        before=_steep, honest=lambda x: x + (_steep(x) - x).detach(), base=_robust
    ),
}
"""Name -> a network that misleads attacks, and the same without the mask."""
