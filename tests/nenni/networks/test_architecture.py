"""Models of torchvision and of one's own, by name, and weights of others."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from nenni.core.checkpoint import Checkpoint
from nenni.core.errors import UserError
from nenni.data.split import InMemory
from nenni.method.initial import load_initial
from nenni.method.modelfile import build
from nenni.networks import architecture
from nenni.run import provenance
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
    meta = {"model": architecture.validate({"name": name}), "input_shape": shape, "n_classes": 4}
    return build(meta | {"injection": None})


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
        model, {"train": images, "val": images}, Recipe(2, 4, 1e-3, flip=True), (0, "test"),
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


@pytest.mark.parametrize("kind", ["safetensors", "pt", "prefixed"])
def test_weights_of_others(kind: str, tmp_path: Path) -> None:
    source, target = nn.Linear(3, 2), nn.Linear(3, 2)
    file = tmp_path / f"w.{'safetensors' if kind == 'safetensors' else 'pt'}"
    if kind == "safetensors":
        save_file(source.state_dict(), file)
    else:
        prefix = "module." if kind == "prefixed" else ""
        torch.save({"state_dict": {prefix + k: t for k, t in source.state_dict().items()}}, file)
    load_initial(target, str(file), {"name": "small_cnn"})
    assert torch.equal(target.weight, source.weight)


def test_weights_from_before_batch_norms_counted(tmp_path: Path) -> None:
    source, target = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    source.running_mean = torch.rand(3)
    state = {k: t for k, t in source.state_dict().items() if k != "num_batches_tracked"}
    torch.save(state, tmp_path / "old.pt")
    load_initial(target, str(tmp_path / "old.pt"), {"name": "small_cnn"})
    assert torch.equal(target.running_mean, source.running_mean)  # type: ignore[arg-type]


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("run",))


def test_weights_that_do_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(nn.Linear(3, 3).state_dict(), tmp_path / "other.pt")
    torch.save({"state_dict": Evil()}, tmp_path / "evil.pt")
    cases = {
        "other.pt": "does not fit: bias should be",
        "evil.pt": "more than tensors",
        "no.pt": "is missing",
    }
    for name, message in cases.items():
        with pytest.raises(UserError, match=message):
            load_initial(nn.Linear(3, 2), str(tmp_path / name), {"name": "small_cnn"})
    assert "run" not in capsys.readouterr().out


def test_torchvisions_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import models

    chosen = architecture.validate({"name": "torchvision:resnet18"})
    full = models.resnet18().state_dict()
    which = models.ResNet18_Weights
    monkeypatch.setattr(which, "get_state_dict", lambda *_, **__: dict(full))
    model = made("torchvision:resnet18")
    head = model.get_submodule("1.fc").weight.clone()
    load_initial(model, "torchvision:DEFAULT", chosen)
    assert torch.equal(model.get_submodule("1.conv1").weight, full["conv1.weight"])
    assert torch.equal(model.get_submodule("1.fc").weight, head)
    with pytest.raises(UserError, match="no weights 'NEW' of resnet18; it has: IMAGENET1K_V1"):
        load_initial(model, "torchvision:NEW", chosen)
    with pytest.raises(UserError, match="are for the model torchvision"):
        load_initial(model, "torchvision:DEFAULT", {"name": "small_cnn"})

    def refused(*_: Any, **__: Any) -> None:
        raise RuntimeError("invalid hash value")

    monkeypatch.setattr(which, "get_state_dict", refused)
    with pytest.raises(UserError, match=r"cannot be downloaded.*invalid hash value"):
        load_initial(model, "torchvision:DEFAULT", chosen)
