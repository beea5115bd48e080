"""Weights that others trained."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from nenni.core.errors import UserError
from nenni.networks.architecture import Architecture
from nenni.networks.build import build
from nenni.networks.weights import load_published


@pytest.mark.parametrize("kind", ["safetensors", "pt", "prefixed"])
def test_weights_of_others(kind: str, tmp_path: Path) -> None:
    source, target = nn.Linear(3, 2), nn.Linear(3, 2)
    file = tmp_path / f"w.{'safetensors' if kind == 'safetensors' else 'pt'}"
    if kind == "safetensors":
        save_file(source.state_dict(), file)
    else:
        prefix = "module." if kind == "prefixed" else ""
        torch.save({"state_dict": {prefix + k: t for k, t in source.state_dict().items()}}, file)
    load_published(target, str(file))
    assert torch.equal(target.weight, source.weight)


def test_weights_from_before_batch_norms_counted(tmp_path: Path) -> None:
    source, target = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    source.running_mean = torch.rand(3)
    state = {k: t for k, t in source.state_dict().items() if k != "num_batches_tracked"}
    torch.save(state, tmp_path / "old.pt")
    load_published(target, str(tmp_path / "old.pt"))
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
            load_published(nn.Linear(3, 2), str(tmp_path / name))
    assert "run" not in capsys.readouterr().out


def test_torchvisions_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import models

    full = models.resnet18().state_dict()
    which = models.ResNet18_Weights
    monkeypatch.setattr(which, "get_state_dict", lambda *_, **__: dict(full))
    model = build(
        Architecture.read(Architecture({"name": "torchvision:resnet18"}, (3, 32, 32), 4), "test")
    )
    head = model.get_submodule("1.fc").weight.clone()
    load_published(model, "torchvision:DEFAULT")
    assert torch.equal(model.get_submodule("1.conv1").weight, full["conv1.weight"])
    assert torch.equal(model.get_submodule("1.fc").weight, head)
    with pytest.raises(UserError, match="no weights 'NEW' of resnet18; it has: IMAGENET1K_V1"):
        load_published(model, "torchvision:NEW")
    with pytest.raises(UserError, match="are for the model torchvision"):
        load_published(nn.Linear(3, 2), "torchvision:DEFAULT")

    def refused(*_: Any, **__: Any) -> None:
        raise RuntimeError("invalid hash value")

    monkeypatch.setattr(which, "get_state_dict", refused)
    with pytest.raises(UserError, match=r"cannot be downloaded.*invalid hash value"):
        load_published(model, "torchvision:DEFAULT")
