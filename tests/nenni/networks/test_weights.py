"""Weights that others trained."""

from collections import OrderedDict
from collections.abc import Callable
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


def network() -> nn.Sequential:
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(1, 2, 3), model=nn.Linear(3, 2)))


@pytest.mark.parametrize("kind", ["safetensors", "pt"])
@pytest.mark.parametrize(
    "entry", [None, "state_dict", "model_state_dict", "model", "net", "weights"]
)
@pytest.mark.parametrize(
    "prefix",
    [
        "", "module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod.", "model.", "net.",
        "module.model.", "model._orig_mod.net.", "backbone.",
    ],
)  # fmt: skip
def test_weights_of_others(kind: str, entry: str | None, prefix: str, tmp_path: Path) -> None:
    """As training scripts write them, one network beside an optimiser; and what was done is told."""
    source, target = network(), network()
    file, told = tmp_path / f"w.{kind}", []
    state = {prefix + name: t for name, t in source.state_dict().items()}
    if kind == "safetensors":
        save_file(state, file)
    else:
        optimiser = torch.optim.SGD(source.parameters(), 0.1, momentum=0.9)
        more = {"optimizer": optimiser.state_dict(), "epoch": 3, "history": [0.5], "note": "best"}
        torch.save(state if entry is None else {**more, entry: state}, file)
    load_published(target, str(file), told.append)
    assert all(map(torch.equal, target.state_dict().values(), source.state_dict().values()))
    words = [f"{file}: its entry {entry} was taken"] if entry and kind == "pt" else []
    parts = sorted(part for part in prefix.split(".") if part)
    assert told[: len(words)] == words
    assert len(told) == len(words) + bool(prefix)
    if prefix:
        assert sorted(filter(None, told[-1].split()[1].split("."))) == parts


@pytest.mark.parametrize("name", ["module", "model", "_orig_mod"])
def test_a_part_that_is_named_so_keeps_its_name(name: str, tmp_path: Path) -> None:
    source, target = (nn.Sequential(OrderedDict({name: nn.Linear(3, 2)})) for _ in range(2))
    torch.save(source.state_dict(), tmp_path / "w.pt")
    told: list[str] = []
    load_published(target, str(tmp_path / "w.pt"), told.append)
    assert not told
    assert torch.equal(target[0].weight, source[0].weight)


@pytest.mark.parametrize("order", [("", "module."), ("module.", ""), ("module.", "_orig_mod.")])
def test_of_two_networks_under_one_prefix_none_is_taken(
    order: tuple[str, str], tmp_path: Path
) -> None:
    """A moving average beside its network would overwrite it, or the other way round."""
    states = [{prefix + n: t for n, t in network().state_dict().items()} for prefix in order]
    torch.save(states[0] | states[1], tmp_path / "w.pt")
    with pytest.raises(UserError, match=r"w.pt: does not fit: .*which the network has not"):
        load_published(network(), str(tmp_path / "w.pt"))


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        (lambda: torch.ones(2, 3).to_sparse(), r"is \(2, 3\) of float32, torch.sparse_coo"),
        (lambda: torch.ones(2, 3, device="meta"), "on the device meta, which holds no numbers"),
        (lambda: torch.nested.nested_tensor([torch.ones(3), torch.ones(2)]), "is a nested tensor"),
    ],
)
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested", "ignore:Validating sparse")
def test_tensors_of_another_layout(
    tensor: Callable[[], torch.Tensor], told: str, tmp_path: Path
) -> None:
    torch.save({**network().state_dict(), "model.weight": tensor()}, tmp_path / "w.pt")
    with pytest.raises(UserError, match=f"does not fit: model.weight should be .*{told}$"):
        load_published(network(), str(tmp_path / "w.pt"))


def test_one_of_several_networks_is_not_chosen(tmp_path: Path) -> None:
    state = network().state_dict()
    torch.save({"model": state, "model_ema": state, "epoch": 1}, tmp_path / "w.pt")
    with pytest.raises(UserError, match="has several networks: model, model_ema; keep one"):
        load_published(network(), str(tmp_path / "w.pt"))


def test_names_that_differ_are_all_named(tmp_path: Path) -> None:
    state = network().state_dict()
    torch.save({**state, "fc.weight": torch.ones(1)}, tmp_path / "more.pt")
    with pytest.raises(
        UserError, match=r"does not fit: it has fc.weight, which the network has not"
    ):
        load_published(network(), str(tmp_path / "more.pt"))
    torch.save({"fc.weight": torch.ones(1), "conv.bias": state["conv.bias"]}, tmp_path / "less.pt")
    with pytest.raises(
        UserError, match=r"it lacks conv.weight, model.bias, model.weight; it has fc"
    ):
        load_published(network(), str(tmp_path / "less.pt"))
    for i in range(9):
        state[f"more.{i}"] = torch.ones(1)
    torch.save(state, tmp_path / "many.pt")
    with pytest.raises(UserError, match=r"it has more.0, more.1, more.2 and 6 more, which"):
        load_published(network(), str(tmp_path / "many.pt"))


class Keeps(nn.Linear):
    def __init__(self) -> None:
        super().__init__(3, 2)
        self.steps = 0

    def get_extra_state(self) -> dict[str, int]:
        return {"steps": self.steps}

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.steps = state["steps"]


def test_what_modules_keep_beside_tensors_is_loaded_or_stays(tmp_path: Path) -> None:
    source, target = Keeps(), Keeps()
    source.steps = 5
    torch.save({"model": source.state_dict()}, tmp_path / "w.pt")
    load_published(target, str(tmp_path / "w.pt"))
    assert target.steps == 5
    torch.save(
        {k: t for k, t in source.state_dict().items() if k != "_extra_state"}, tmp_path / "t.pt"
    )
    target.steps = 7
    load_published(target, str(tmp_path / "t.pt"))
    assert target.steps == 7


def test_a_lazy_network_takes_the_shapes_of_its_weights(tmp_path: Path) -> None:
    source, target = nn.Linear(3, 2), nn.LazyLinear(2)
    torch.save(source.state_dict(), tmp_path / "w.pt")
    load_published(target, str(tmp_path / "w.pt"))
    assert torch.equal(target(torch.ones(1, 3)), source(torch.ones(1, 3)))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_numbers_of_16_bits_are_widened_and_others_stay(kind: torch.dtype, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    state = {k: t.to(kind) if "0." in k else t for k, t in model.state_dict().items()}
    torch.save(state, tmp_path / "w.pt")
    told: list[str] = []
    other = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    load_published(other, str(tmp_path / "w.pt"), told.append)
    assert torch.equal(other[0].weight, state["0.weight"].float())
    assert told == [f"{tmp_path / 'w.pt'}: numbers of 16 bits were widened: 0.bias, 0.weight"]
    torch.save({k: t.double() if "0." in k else t for k, t in state.items()}, tmp_path / "w.pt")
    with pytest.raises(UserError, match=r"0.bias should be \(2,\) of float32, is .* float64"):
        load_published(other, str(tmp_path / "w.pt"))


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
