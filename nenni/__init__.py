"""Non-Essential Neuron Noise Injection (NENNI, arXiv 2402.04325) and its test bench.

The names below are imported on first use, so that ``import nenni`` costs milliseconds and loads
neither torch nor pandas.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_EXPORTS = {
    "InjectionSpec": "nenni.spec",
    "Sparse": "nenni.projection.sparse",
    "Gaussian": "nenni.projection.gaussian",
    "CountSketch": "nenni.projection.count_sketch",
    "TapShared": "nenni.projection.tap_shared",
    "TapSharedPCA": "nenni.projection.tap_shared_pca",
    "TopK": "nenni.selection.topk",
    "Threshold": "nenni.selection.threshold",
    "NM": "nenni.selection.n_m",
    "Block": "nenni.selection.block",
    "Channel": "nenni.selection.channel",
    "Random": "nenni.selection.random",
    "Inverted": "nenni.selection.inverted",
    "Oracle": "nenni.selection.oracle",
    "All": "nenni.selection.all",
    "Nothing": "nenni.selection.none",
    "Approximation": "nenni.noise.approximation",
    "GaussianNoise": "nenni.noise.gaussian",
    "UniformNoise": "nenni.noise.uniform",
    "Zero": "nenni.noise.zero",
    "Resample": "nenni.noise.resample",
    "inject": "nenni.injection",
    "remove": "nenni.injection",
    "set_path": "nenni.injection",
    "fit": "nenni.fitting",
    "report": "nenni.reporting",
    "save": "nenni.saving",
    "load": "nenni.saving",
    "describe": "nenni.description",
    "flop_count": "nenni.flop_counting",
    "evaluate": "nenni.evaluation",
    "diagnose": "nenni.diagnostics",
    "fgsm": "nenni.attacks.fgsm",
    "pgd": "nenni.attacks.pgd",
}
__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'nenni' has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return __all__
