"""A slow executor of one injected layer that really skips work, and counts what it does."""

from collections import Counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nenni.method import quantise
from nenni.method.noisy_layer import NoisyLayer

Vector = np.ndarray[Any, np.dtype[np.float64]]
REAL = ("gaussian", "tap_shared_pca")


class Executor:
    """z' of one sample, one position and neuron at a time.

    Attributes
    ----------
    count
        Operations by term, e.g. ``"exact.macs"``.
    """

    def __init__(self, layer: NoisyLayer, sum_bits: int) -> None:
        self.layer, self.count = layer, Counter[str]()
        self.choices = layer.choices
        config = layer.choices.to_config()
        self.projection, self.selection = config["projection"]["name"], config["selection"]
        self.shared = self.choices.projection.shared_taps
        self.rounds_inputs = self.choices.input_bits < self.choices.exact_bits
        self.rounds_projected = self.choices.projected_bits < sum_bits
        P = layer.P[0].numpy()
        self.P = P.reshape(P.shape[0], -1)
        w_tilde = quantise.quantise_weight(layer.W_tilde[0].detach(), self.choices.weight_bits)
        self.w_tilde = w_tilde.numpy().reshape(len(w_tilde), -1)
        self.b_tilde = layer.b_tilde[0].detach().numpy()
        self.W = layer.wrapped.weight.detach().numpy().reshape(len(self.w_tilde), -1)
        bias = layer.wrapped.bias
        self.b = np.zeros(len(self.W)) if bias is None else bias.detach().numpy()
        self.rounded: dict[int, Vector] = {}
        self.projected: dict[int, Vector] = {}

    def run(self, x: Tensor, mask: Tensor) -> Tensor:
        """The layer's output for one sample, (1, n, H, W) or (1, ..., features)."""
        pixels, taps, shape = self._positions(x)
        channels_last = mask.movedim(1, -1) if isinstance(self.layer.wrapped, nn.Conv2d) else mask
        m = channels_last.reshape(-1, len(self.W)).numpy()
        judges = self.selection["name"] not in ("all", "none", "oracle")
        needs_z_tilde = self.selection["name"] != "all"
        z = np.zeros((len(taps), len(self.W)))
        for position, tap in enumerate(taps):
            z_tilde = self._approximate(pixels, tap) if needs_z_tilde else None
            patch = np.stack([self._at(pixels, t) for t in tap], 1).ravel()
            for neuron in range(len(self.W)):
                value = None
                if self.selection["name"] == "oracle" or m[position, neuron]:
                    value = self.W[neuron] @ patch + self.b[neuron]
                    self.count["exact.macs"] += len(patch)
                if not m[position, neuron]:
                    assert z_tilde is not None
                    value = z_tilde[neuron]
                z[position, neuron] = value
        if judges or self.selection["name"] == "oracle":
            self._select(m)
        return torch.from_numpy(z).reshape(shape).movedim(-1, 1 if len(shape) == 4 else -1)

    def _positions(self, x: Tensor) -> tuple[Vector, list[list[int | None]], tuple[int, ...]]:
        """Pixels (positions, C), the taps of each output position, and the output's shape."""
        layer = self.layer.wrapped
        if isinstance(layer, nn.Linear):
            pixels = x.reshape(-1, x.shape[-1]).numpy()
            shape = (*x.shape[:-1], layer.out_features)
            return pixels, [[i] for i in range(len(pixels))], shape
        _, _, height, width = x.shape
        left, _, top, _ = layer._reversed_padding_repeated_twice
        (kh, kw), (sh, sw), (dh, dw) = layer.kernel_size, layer.stride, layer.dilation
        out = layer(x).shape
        taps: list[list[int | None]] = []
        for i in range(out[2]):
            for j in range(out[3]):
                tap: list[int | None] = []
                for a in range(kh):
                    for b in range(kw):
                        row, column = i * sh - top + a * dh, j * sw - left + b * dw
                        inside = 0 <= row < height and 0 <= column < width
                        tap.append(row * width + column if inside else None)
                taps.append(tap)
        pixels = x[0].flatten(1).T.numpy()
        return pixels, taps, (1, out[2], out[3], out[1])

    @staticmethod
    def _at(pixels: Vector, tap: int | None) -> Vector:
        return np.zeros(pixels.shape[1]) if tap is None else pixels[tap]

    def _rounded(self, pixels: Vector, tap: int | None) -> Vector:
        """Q_a of a pixel, the first time it is read."""
        if tap is None:
            return np.zeros(pixels.shape[1])
        if tap not in self.rounded:
            value = torch.from_numpy(pixels[tap])
            bits = self.choices.input_bits
            self.rounded[tap] = quantise.quantise(value, self.layer.input_scale, bits).numpy()
            self.count["rounding.roundings"] += len(value) if self.rounds_inputs else 0
        return self.rounded[tap]

    def _project(self, values: Vector) -> Vector:
        """Q_p(P v): an addition for each non-zero, or a product for each entry of a real P."""
        result = np.zeros(len(self.P))
        for row, entries in enumerate(self.P):
            for column in range(len(entries)) if self.projection in REAL else entries.nonzero()[0]:
                result[row] += entries[column] * values[column]
                kind = "macs" if self.projection in REAL else "additions"
                self.count[f"projection.{kind}"] += 1
        bits = self.choices.projected_bits
        self.count["rounding.roundings"] += len(result) if self.rounds_projected else 0
        scale = self.layer.projected_scale[0]
        return quantise.quantise(torch.from_numpy(result), scale, bits).numpy()

    def _approximate(self, pixels: Vector, taps: list[int | None]) -> Vector:
        if self.shared:
            for tap in taps:
                if tap is not None and tap not in self.projected:
                    self.projected[tap] = self._project(self._rounded(pixels, tap))
            zero = np.zeros(len(self.P))
            parts = [zero if tap is None else self.projected[tap] for tap in taps]
            features = np.stack(parts, 1).ravel()
        else:
            patch = np.stack([self._rounded(pixels, tap) for tap in taps], 1).ravel()
            features = self._project(patch)
        self.count["approximation.macs"] += self.w_tilde.size
        return self.w_tilde @ features + self.b_tilde

    def _select(self, m: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
        """What deciding the mask takes, for the algorithms whose count does not hang on values."""
        self.count["mask.mask_bits"] += m.size
        if self.selection["name"] == "random":
            return
        if self.choices.normalise:
            self.count["selection.macs"] += m.size
        match self.selection["name"]:
            case "threshold":
                self.count["selection.comparisons"] += m.size
            case "n_m":
                group = self.selection["m"]
                for row in m:
                    for start in range(0, len(row), group):
                        size = len(row[start : start + group])
                        self.count["selection.comparisons"] += size * (size - 1) // 2
            case "block" | "channel":
                self.count["selection.additions"] += m.size
