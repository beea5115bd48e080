"""A folder of a person with a model, weights and images of their own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from nenni.method.fit import fit
from nenni.method.network_file import save

MODULE = """
from nenni.networks.models.small_cnn import small_cnn

def build():
    return small_cnn((1, 28, 28), 10, channels=[8, 8, 16, 16], hidden=32)

def number():
    return 3
"""
SUITE = "pgd: {name: pgd, steps: 3}\nbpda: {name: pgd, steps: 3, surrogate: {name: bpda}}\n"


@pytest.fixture
def folder(
    tmp_path: Path,
    trained: nn.Module,
    noisy: nn.Module,
    digits: tuple[Tensor, Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The working directory: a module, weights as others save them, injected networks, digits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_digits.py").write_text(MODULE)
    (tmp_path / "suite.yaml").write_text(SUITE)
    save_file(trained.state_dict(), tmp_path / "w.safetensors")
    torch.save({"state_dict": trained.state_dict()}, tmp_path / "w.pt")
    fit(noisy, digits[0][:200])
    save(noisy, tmp_path / "unnamed.safetensors")
    save(noisy, tmp_path / "own.safetensors", architecture="my_digits:build")
    images = (digits[0][800:840, 0] * 255).round().byte().numpy()
    np.savez(tmp_path / "digits.npz", x=images, y=digits[1][800:840].numpy())
    return tmp_path
