"""The closed form: min over W~, b~ of 1/B ||(W~ f + b~) - z||^2, with f = Q_p(P Q_a(x)).

All that the closed form needs of the images are sums over the rows f and z; so do the moments of
z~ and of its error, whatever W~ is.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from nenni.method.noisy_layer import NoisyLayer
from nenni.method.quantise import quantise_weight
from nenni.method.visit import Seen, visit_all


class Sums(NamedTuple):
    """Sums over the rows [f, 1] (B, k + 1) of one approximation and z (B, n), in float64.

    Attributes
    ----------
    gram : Tensor
        [f, 1]' [f, 1], (k + 1, k + 1); its last entry is B.
    moment : Tensor
        [f, 1]' z, (k + 1, n), with the z of the exact network.
    own_moment, own_squares : Tensor
        [f, 1]' z, (k + 1, n), and z^2 by channel, (n,), with the z that the layer itself gives for
        its x. In the exact network they are the same.
    """

    gram: Tensor
    moment: Tensor
    own_moment: Tensor
    own_squares: Tensor


@torch.no_grad()
def sums_of(seen: Seen) -> dict[str, list[Sums]]:
    """Layer -> sums for each of its approximations."""
    found: dict[str, list[Sums]] = {}

    def visit(name: str, layer: NoisyLayer, x: Tensor, z: Tensor) -> None:
        target = layer.geometry.rows(z).double()
        own = layer.geometry.rows(layer.exact(x)).double()
        here = []
        for i in range(layer.pool):
            f = with_one(layer.geometry.features(layer.projected_rounded(x, i)).double())
            here.append(Sums(f.T @ f, f.T @ target, f.T @ own, own.square().sum(0)))
        before = found.get(name, here)
        summed = [_plus(a, b) for a, b in zip(before, here, strict=True)]
        found[name] = here if before is here else summed

    visit_all(seen, visit)
    return found


@torch.no_grad()
def solve_ridge(seen: Seen, sums: dict[str, list[Sums]], ridge: float) -> None:
    """Set W~, b~ to the closed form for the rounded features. It knows nothing of Q_w."""
    for name, of_pool in sums.items():
        layer = seen.layers[name]
        for i, of_one in enumerate(of_pool):
            weights, bias = ridge_solution(of_one.gram, of_one.moment, ridge)
            layer.W_tilde[i] = weights.view_as(layer.W_tilde[i])
            layer.b_tilde[i] = bias


@torch.no_grad()
def set_moments(seen: Seen, sums: dict[str, list[Sums]]) -> None:
    """Set each layer's mean and variance of z~ per channel, and the deviation of z~ - z.

    They follow from the sums for z~ = Q_w(W~) f + b~ as it is now, and the layer's own z. Where z~
    never changes, but for rounding, the variance is 1.
    """
    for name, of_pool in sums.items():
        layer = seen.layers[name]
        moments = torch.stack([_moments(layer, i, s) for i, s in enumerate(of_pool)]).mean(0)
        mean, square, error, squared_error = moments
        variance = (square - mean.square()).clamp_min(0)
        layer.score_mean.copy_(mean)
        varies = variance > _rounding(layer.score_variance.dtype) * square
        layer.score_variance.copy_(torch.where(varies, variance, 1.0))
        spread = squared_error.mean() - error.mean().square()
        layer.error_deviation.copy_(spread.clamp_min(0).sqrt())


def ridge_solution(gram: Tensor, moment: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """W~ (n, k) and b~ (n,) with the least |W~ f + b~ - z|^2 + ridge mean(f^2) |W~|^2.

    The bias is not penalised.

    Parameters
    ----------
    gram : Tensor
        Summed products of the rows [f, 1] with themselves, (k + 1, k + 1).
    moment : Tensor
        And with z, (k + 1, n).
    ridge : float
        Penalty, in units of the mean square of the features.
    """
    k = len(gram) - 1
    scale = float(gram.diagonal()[:k].mean())
    penalty = torch.full((k + 1,), max((ridge + 1e-12) * scale, 1e-30))
    penalty[k] = 0
    solution = torch.linalg.solve(gram + torch.diag(penalty.to(gram)), moment)
    return solution[:k].T, solution[k]


def with_one(rows: Tensor) -> Tensor:
    """Rows [x, 1] from rows x, for the mean or the bias."""
    return torch.cat([rows, rows.new_ones(len(rows), 1)], 1)


def _rounding(dtype: torch.dtype) -> float:
    """Share of E[z~^2] that rounding alone makes a variance: of z~ itself, or of the sums."""
    return max(torch.finfo(dtype).eps ** 2, 1000 * torch.finfo(torch.float64).eps)


def _plus(a: Sums, b: Sums) -> Sums:
    return Sums(*(x + y for x, y in zip(a, b, strict=True)))


def _moments(layer: NoisyLayer, index: int, sums: Sums) -> Tensor:
    """E z~, E z~^2, E (z~ - z) and E (z~ - z)^2 by channel, (4, n)."""
    weight = quantise_weight(layer.W_tilde[index], layer.choices.weight_bits)
    v = torch.cat([weight.flatten(1), layer.b_tilde[index][:, None]], 1).double()
    rows = sums.gram[-1, -1]
    mean, square = v @ sums.gram[-1], ((v @ sums.gram) * v).sum(1)
    error = mean - sums.own_moment[-1]
    squared_error = square - 2 * (v * sums.own_moment.T).sum(1) + sums.own_squares
    return torch.stack([mean, square, error, squared_error]) / rows
