"""Analytical cost model of networks with noise injected into non-essential neurons (NENNI).

Counts the operations and BitOPs of every layer with the projection, the roundings, the selection
and the mask included, compares them with dense FP32, FP16 and INT8, and estimates latency by a
roofline. It reads ``layers.json`` only: no model, no torch.

Names are imported on first use, so that ``import hwmodel`` and ``--help`` stay fast.

Examples
--------
>>> import hwmodel
>>> network = hwmodel.load("layers.json")  # doctest: +SKIP
>>> [row.reduction_with for row in hwmodel.reductions(network)]  # doctest: +SKIP
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwmodel.accelergy import with_accelergy
    from hwmodel.bitops import Term, count_operations
    from hwmodel.comparison import Comparison, compare
    from hwmodel.cost_by_level import LevelCost, level_costs, timeloop_costs, zigzag_costs
    from hwmodel.crossover import Crossover, Speedup, crossovers, plan, speedups
    from hwmodel.energy_estimate import EnergyRow, energy
    from hwmodel.energy_table import (
        EnergyTable,
        EnergyTableError,
        energy_table_names,
        load_energy_table,
    )
    from hwmodel.export_timeloop import timeloop_yaml
    from hwmodel.export_zigzag import zigzag_yaml
    from hwmodel.hypothetical import injected, read_granularity
    from hwmodel.injection_spec import Injection
    from hwmodel.layer_latency import LayerLatency, latency
    from hwmodel.layer_spec import Layer
    from hwmodel.movement import Movement, movements
    from hwmodel.network_spec import LayerSpecError, Network, load
    from hwmodel.network_summary import summary
    from hwmodel.preset import Preset, PresetError, load_preset, preset_names
    from hwmodel.reduction import Reduction, reductions
    from hwmodel.roofline_points import Point, points
    from hwmodel.sweeping import Evaluation, Setting, Total, sweep
    from hwmodel.verdict_text import verdict
    from hwmodel.workload import Workload, workloads
    from hwmodel.zigzag_hardware import read_zigzag

_HOME = {
    "Comparison": "comparison",
    "Crossover": "crossover",
    "EnergyRow": "energy_estimate",
    "EnergyTable": "energy_table",
    "EnergyTableError": "energy_table",
    "Evaluation": "sweeping",
    "Injection": "injection_spec",
    "Layer": "layer_spec",
    "LayerLatency": "layer_latency",
    "LayerSpecError": "network_spec",
    "LevelCost": "cost_by_level",
    "Movement": "movement",
    "Network": "network_spec",
    "Point": "roofline_points",
    "Preset": "preset",
    "PresetError": "preset",
    "Reduction": "reduction",
    "Setting": "sweeping",
    "Speedup": "crossover",
    "Term": "bitops",
    "Total": "sweeping",
    "Workload": "workload",
    "compare": "comparison",
    "count_operations": "bitops",
    "crossovers": "crossover",
    "energy": "energy_estimate",
    "energy_table_names": "energy_table",
    "injected": "hypothetical",
    "latency": "layer_latency",
    "level_costs": "cost_by_level",
    "load": "network_spec",
    "load_energy_table": "energy_table",
    "load_preset": "preset",
    "movements": "movement",
    "plan": "crossover",
    "points": "roofline_points",
    "preset_names": "preset",
    "read_granularity": "hypothetical",
    "read_zigzag": "zigzag_hardware",
    "reductions": "reduction",
    "speedups": "crossover",
    "summary": "network_summary",
    "sweep": "sweeping",
    "timeloop_costs": "cost_by_level",
    "timeloop_yaml": "export_timeloop",
    "verdict": "verdict_text",
    "with_accelergy": "accelergy",
    "workloads": "workload",
    "zigzag_costs": "cost_by_level",
    "zigzag_yaml": "export_zigzag",
}

__all__ = [
    "Comparison",
    "Crossover",
    "EnergyRow",
    "EnergyTable",
    "EnergyTableError",
    "Evaluation",
    "Injection",
    "Layer",
    "LayerLatency",
    "LayerSpecError",
    "LevelCost",
    "Movement",
    "Network",
    "Point",
    "Preset",
    "PresetError",
    "Reduction",
    "Setting",
    "Speedup",
    "Term",
    "Total",
    "Workload",
    "compare",
    "count_operations",
    "crossovers",
    "energy",
    "energy_table_names",
    "injected",
    "latency",
    "level_costs",
    "load",
    "load_energy_table",
    "load_preset",
    "movements",
    "plan",
    "points",
    "preset_names",
    "read_granularity",
    "read_zigzag",
    "reductions",
    "speedups",
    "summary",
    "sweep",
    "timeloop_costs",
    "timeloop_yaml",
    "verdict",
    "with_accelergy",
    "workloads",
    "zigzag_costs",
    "zigzag_yaml",
]


def __getattr__(name: str) -> object:
    """Import a public name from the module that defines it."""
    if name not in _HOME:
        raise AttributeError(f"module 'hwmodel' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"hwmodel.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names without importing them."""
    return sorted(__all__)
