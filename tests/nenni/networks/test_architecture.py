"""Models of torchvision and of one's own, by name."""

from pathlib import Path

import pytest
import torch
from torch import nn

from nenni.core.checkpoint import Checkpoint
from nenni.core.errors import UserError
from nenni.data.split import InMemory
from nenni.networks import architecture
from nenni.networks.architecture import Architecture
from nenni.networks.build import build
from nenni.run import provenance
from nenni.training.objectives.standard import Standard
from nenni.training.recipe import Recipe
from nenni.training.train import train

OWN = """
from torch import nn

def build():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4))
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"own_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(OWN)
    return f"{name}:build"


def made(name: str, shape: tuple[int, ...] = (3, 32, 32)) -> nn.Module:
    return build(Architecture(architecture.read({"name": name}, "--model"), shape, 4))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "efficientnet_b0", "vit_b_32"])
def test_torchvisions_networks_train_a_step(name: str) -> None:
    model = made(f"torchvision:{name}").train()
    logits = model(torch.rand(2, 3, 32, 32))
    assert logits.shape == (2, 4)
    nn.functional.cross_entropy(logits, torch.tensor([0, 3])).backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet50", "vit_b_16"])
def test_large_networks_train_two_steps(name: str) -> None:
    """Two: torchvision starts ViT with a classifier of zeros, which passes nothing back."""
    model = made(f"torchvision:{name}", (3, 224, 224))
    before = [p.clone() for p in model.parameters()]
    images = InMemory.of(torch.rand(4, 3, 224, 224), torch.arange(4))
    found = train(
        model, {"train": images, "val": images}, Recipe(2, 4, 1e-3, Standard(), flip=True), (0, "test"),
        parameters=list(model.parameters()), checkpoint=Checkpoint(),
    )  # fmt: skip
    assert found.history["loss"].between(0.5, 3).all()
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_a_function_of_ones_own(own: str) -> None:
    assert made(own)(torch.rand(2, 3, 32, 32)).shape == (2, 4)
    config = {"model": architecture.validate({"name": own})}
    files = provenance.stage_files("describe", config)
    assert Path(f"{own.partition(':')[0]}.py").resolve() in files


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        (
            "torchvision:resnet19",
            (3, 32, 32),
            "torchvision has no classifier 'resnet19'; it has: .*resnet18",
        ),
        ("torchvision:resnet18", (1, 28, 28), "take 3 channels, the images have 1"),
        ("torchvision:vit_b_16", (3, 32, 48), "takes square images"),
        ("torchvision:vit_b_16", (3, 30, 30), "vit_b_16 cannot be made for images"),
        ("absent_module:build", (3, 32, 32), "No module named 'absent_module'"),
        ("nenni.core.errors:UserError", (3, 32, 32), "returns a UserError, not a torch module"),
    ],
)
def test_mistakes(name: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        made(name, shape)
