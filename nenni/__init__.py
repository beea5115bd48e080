"""Non-Essential Neuron Noise Injection (NENNI, arXiv 2402.04325) and its test bench.

The names below are imported on first use, so that ``import nenni`` costs milliseconds and loads
neither torch nor pandas.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_EXPORTS = {
    "InjectionSpec": "nenni.method.spec",
    "Sparse": "nenni.method.projection.sparse",
    "Gaussian": "nenni.method.projection.gaussian",
    "CountSketch": "nenni.method.projection.count_sketch",
    "TapShared": "nenni.method.projection.tap_shared",
    "TapSharedPCA": "nenni.method.projection.tap_shared_pca",
    "TopK": "nenni.method.selection.topk",
    "Threshold": "nenni.method.selection.threshold",
    "NM": "nenni.method.selection.n_m",
    "Block": "nenni.method.selection.block",
    "Channel": "nenni.method.selection.channel",
    "Random": "nenni.method.selection.random",
    "Inverted": "nenni.method.selection.inverted",
    "Oracle": "nenni.method.selection.oracle",
    "All": "nenni.method.selection.all",
    "Nothing": "nenni.method.selection.none",
    "Approximation": "nenni.method.noise.approximation",
    "GaussianNoise": "nenni.method.noise.gaussian",
    "UniformNoise": "nenni.method.noise.uniform",
    "Zero": "nenni.method.noise.zero",
    "Resample": "nenni.method.noise.resample",
    "inject": "nenni.method.injection",
    "remove": "nenni.method.injection",
    "set_path": "nenni.method.injection",
    "defend": "nenni.method.defend",
    "set_noise": "nenni.method.defend",
    "PNI": "nenni.defences.baselines.pni",
    "Learn2Perturb": "nenni.defences.baselines.learn2perturb",
    "RandomProjectionFilters": "nenni.defences.baselines.random_projection_filters",
    "GaussianActivations": "nenni.defences.baselines.gaussian",
    "KWTA": "nenni.defences.baselines.k_wta",
    "Quantised": "nenni.defences.baselines.quantised",
    "TwoOfFour": "nenni.defences.baselines.two_of_four",
    "RandomDropout": "nenni.defences.baselines.dropout",
    "fit": "nenni.method.fit",
    "report": "nenni.method.report",
    "order_channels": "nenni.method.channel_order",
    "save": "nenni.method.network_file",
    "load": "nenni.method.network_file",
    "deploy": "nenni.deployment.deploy",
    "describe": "nenni.cost.describe",
    "flop_count": "nenni.cost.flop_count",
    "evaluate": "nenni.evaluation.evaluate",
    "diagnose": "nenni.evaluation.diagnose",
    "card": "nenni.cards.card",
    "write_card": "nenni.cards.card_file",
    "read_card": "nenni.cards.card_file",
    "compare": "nenni.cards.compare",
    "use_plugins": "nenni.core.plugins",
    "use_instruction_set": "nenni.core.instruction_set",
    "fingerprint": "nenni.run.fingerprint",
    "fgsm": "nenni.adversary.attacks.fgsm",
    "pgd": "nenni.adversary.attacks.pgd",
}
__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'nenni' has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return __all__
