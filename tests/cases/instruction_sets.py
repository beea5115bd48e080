"""What tests of instruction sets share."""

from pathlib import Path

import pytest

from nenni.core import instruction_set, processor

MISSING = {
    name: sorted(instruction_set._NEEDED.get(name, set()) - processor.features())
    for name in instruction_set.NAMES
}
needs_avx2 = pytest.mark.skipif(
    bool(MISSING["avx2"]), reason=f"the processor has no {', '.join(MISSING['avx2'])}"
)
PRINTS_ITS_SET = r"""
import os
import torch
from nenni.networks.models.small_cnn import small_cnn

def build():
    os.write(2, f"computes with {torch.backends.cpu.get_cpu_capability()}\n".encode())
    return small_cnn((1, 28, 28), 10, channels=[8, 8, 16, 16], hidden=32)
"""
"""A module of one's own whose network says what it is computed with."""


def own_model(folder: Path) -> str:
    """Write the module there; the name of its function."""
    (folder / "shown.py").write_text(PRINTS_ITS_SET, encoding="utf-8")
    return "shown:build"


def told(errors: str) -> list[str]:
    """What the network said, each time that it was built."""
    return [line.split()[-1] for line in errors.splitlines() if line.startswith("computes with")]
