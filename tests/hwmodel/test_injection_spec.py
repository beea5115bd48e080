"""Injections that contradict themselves or their layer, and the limits that are allowed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from injection_cases import refusal

INCONSISTENT: list[tuple[dict[str, Any], str]] = [
    (
        {"projection": "tap_shared", "k_c": 3, "nonzeros": 10},
        "k: should be k_c times the kernel's area, 27, got 18",
    ),
    (
        {"projection": "tap_shared", "k_c": 2, "nonzeros": 33},
        "nonzeros: should be at most the entries of P, 32, got 33",
    ),
    (
        {"projection": "tap_shared_pca", "k_c": 2, "nonzeros": 33},
        "nonzeros: should be at most the entries of P, 32, got 33",
    ),
    (
        {"projection": {"name": "any", "real": False}},
        "projection.nonzero_bits: should be given for this projection, got null",
    ),
    (
        {"projection": {"name": "any", "real": True, "nonzero_bits": 3}},
        "projection.nonzero_bits: should be null for this projection, got 3",
    ),
    (
        {"selection": "all", "measured_fraction": 0.5},
        "measured_fraction: should be 1.0, the fraction, for this selection, got 0.5",
    ),
    (
        {"selection": "none", "measured_fraction": 0.5},
        "measured_fraction: should be 0.0, the fraction, for this selection, got 0.5",
    ),
]


@pytest.mark.parametrize(("changes", "expected"), INCONSISTENT)
def test_inconsistent_injection_is_named(
    tmp_path: Path, network_json: Any, layer_dict: Any, changes: dict[str, Any], expected: str
) -> None:
    example = network_json(layer_dict(None, name="first"), layer_dict(changes))
    path = tmp_path / "layers.json"
    text = refusal(path, json.dumps(example))
    assert text == f"{path}: layers[1].injection.{expected}"


@pytest.mark.parametrize(
    "changes",
    [
        {"projection": "tap_shared", "k_c": 2, "nonzeros": 32},
        {"nonzeros": 2592},
        {"nonzeros": 1},
        {"selection": "4:4"},
        {"projection": "count_sketch", "nonzeros": 144},
        {"projection": "tap_shared_pca", "k_c": 2, "nonzeros": 32},
        {"noise": "resample"},
        {"noise": "resample", "pool": 8},
        {"noise": "gaussian", "pool": 1},
        {"selection": "all", "measured_fraction": 1.0},
        {"selection": "64x1000"},
    ],
)
def test_limits_are_allowed(make_layer: Callable[..., Any], changes: dict[str, Any]) -> None:
    assert make_layer(changes).injection is not None
