"""Passes by CUDA graphs give what the passes themselves give, bit by bit."""

import copy
import warnings
from contextlib import ExitStack, nullcontext
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from gpu import NEEDS_GPU
from noisy_cases import CASES, IMAGES, network
from simulated_graphs import simulated
from torch import Tensor, nn
from torchvision.transforms import RandomErasing

from nenni.core.seeding import seeded
from nenni.method import ranking
from nenni.method.fused import bits, comparing
from nenni.method.injection import set_path
from nenni.method.noisy_layer import LayerPath
from nenni.networks.replayed import _Replayed, replayed

CPU = torch.device("cpu")


def plain() -> nn.Module:
    """A small network with batch norm."""
    with seeded(1):
        return nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(3872, 10)
        ).double()


def slopes(model: nn.Module, images: Tensor) -> list[Tensor]:
    """Gradients of three logits, one after the other, of one pass while two others wait."""
    points = [images.clone().requires_grad_() for _ in range(3)]
    logits = [model(x) for x in points]
    return [
        torch.autograd.grad(z[:, c].sum(), x, retain_graph=True)[0]
        for x, z in zip(points, logits, strict=True)
        for c in (0, 4, 7)
    ]


def trained(model: nn.Module, captured: bool, device: torch.device) -> dict[str, Tensor]:
    """Weights and buffers after each step, with an attack's gradient and a look in between."""
    model, images = model.to(device), IMAGES.to(device)
    labels = torch.tensor([1, 2, 3, 4], device=device)
    optimiser = torch.optim.SGD(model.parameters(), 0.01)
    found: dict[str, Tensor] = {}

    def steps() -> None:
        for step in range(7):
            with seeded(step):
                model.eval()
                optimiser.zero_grad()
                rises = slopes(model, images)
                found.update((f"{step}: slope {i}", rise) for i, rise in enumerate(rises))
                model.train()
                first, second = model(images), model(rises[-1] + images)  # both wait for backward
                found[f"{step}: first"], found[f"{step}: second"] = first.detach(), second.detach()
                (F.cross_entropy(first, labels) + second.square().mean()).backward()
                del first, second
                for name, p in model.named_parameters():
                    if p.grad is not None:
                        found[f"{step}: gradient of {name}"] = p.grad.clone()
                optimiser.step()
                model.eval()
                with torch.no_grad():
                    found[f"{step}: look"] = model(images[: 3 + step % 2])
                for name, value in model.state_dict().items():
                    found[f"{step}: {name}"] = value.clone()

    if captured:
        with replayed(model, torch.device("cuda")):
            steps()
            assert len(model._compiled_call_impl.captured) == 4  # type: ignore[attr-defined]
    else:
        steps()
    return found


@pytest.mark.parametrize("name", ["plain", "topk", "2:4", "GaussianNoise"])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NEEDS_GPU)])
def test_training_and_gradients_are_the_same_bits(name: str, device: str) -> None:
    """On a CPU a capture is simulated, and cannot hold what looks at values."""
    torch.use_deterministic_algorithms(True)
    model, where = plain() if name == "plain" else network(name, "injected"), torch.device(device)
    try:
        with ExitStack() as within:
            within.enter_context(simulated() if device == "cpu" else nullcontext())
            for module in (ranking, comparing, bits):
                within.enter_context(mock.patch.object(module, "may_look", return_value=False))
            expected = trained(copy.deepcopy(model), captured=False, device=where)
            found = trained(model, captured=True, device=where)
        assert found.keys() == expected.keys()
        differ = {n: float((v - expected[n]).abs().max()) for n, v in found.items()}
        assert not {name: by for name, by in differ.items() if by != 0}
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize(
    ("name", "path"), [pytest.param(*case, marks=NEEDS_GPU) for case in CASES[::3]]
)
def test_every_path_is_captured(name: str, path: LayerPath) -> None:
    model, images = network(name, path).to("cuda"), IMAGES.to("cuda")
    with seeded(5), torch.no_grad():
        expected = model(images)
    with torch.no_grad(), replayed(model, images.device):
        for _ in range(4):
            with seeded(5):
                found = model(images)
        assert isinstance(model._compiled_call_impl, _Replayed)
        assert len(model._compiled_call_impl.captured) == 1
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    "case", [pytest.param(name, marks=NEEDS_GPU) for name in ("hook", "waits")]
)
def test_what_is_hooked_later_or_waits_is_not_captured(case: str) -> None:
    class Waiting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * float(x.sum() > 0)

    Waiting.__module__ = "nenni.networks.waiting"
    model = plain().cuda().eval()
    if case == "waits":
        model.append(Waiting())
    seen: list[int] = []
    images = IMAGES.to("cuda")
    expected = model(images)
    with warnings.catch_warnings(record=True) as caught, replayed(model, images.device):
        if case == "hook":
            model.get_submodule("0").register_forward_hook(lambda *_: seen.append(1))
        for _ in range(4):
            assert torch.equal(model(images), expected)
    assert len(seen) == (4 if case == "hook" else 0)
    assert any("no longer captured" in str(w.message) for w in caught) == (case == "waits")
    assert torch.rand(3, device="cuda").shape == (3,)


class LastState(nn.Module):
    """A recurrent network's, which holds its weights a second time; a tied layer before it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 5), nn.Linear(5, 5)
        self.second.weight = self.first.weight
        self.recurrent = nn.LSTM(5, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        states: Tensor = self.recurrent(self.second(self.first(x)))[0]
        return states[:, -1]


LastState.__module__ = "nenni.networks.last_state"


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NEEDS_GPU)])
def test_gradients_of_tied_and_recurrent_weights_while_an_earlier_pass_waits(device: str) -> None:
    with seeded(2):
        model, x = LastState().to(device), torch.rand(3, 6, 5).to(device)

    def gradients() -> list[Tensor]:
        model.zero_grad()
        model(x).square().sum().backward()
        return [p.grad.clone() for p in model.parameters() if p.grad is not None]

    torch_s_own = torch.backends.mkldnn.flags(enabled=False)  # whose operations can be done again
    with simulated() if device == "cpu" else nullcontext(), torch_s_own:
        expected, weights = gradients(), [*model.parameters()]
        asked = mock.patch.object(torch.autograd, "grad", wraps=torch.autograd.grad)
        with replayed(model, torch.device("cuda")), asked as grad:
            waiting = [model(x) for _ in range(2)]
            found = gradients()
            assert len(model._compiled_call_impl.captured) == 1  # type: ignore[attr-defined]
    of_the_capture = {id(p) for call in grad.call_args_list for p in call.args[1]}
    assert len(of_the_capture) == len(weights)
    assert not of_the_capture & {id(p) for p in weights}
    assert all(ours is theirs for ours, theirs in zip(model.parameters(), weights, strict=True))
    assert len(found) == len(weights) == len(expected)
    torch.testing.assert_close(found, expected)
    assert all(z.requires_grad for z in waiting)


def test_nothing_changes_on_a_cpu_or_for_modules_of_others() -> None:
    class Counting(nn.Module):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return x

    patched, gpu = nn.Linear(2, 2), torch.device("cuda")
    patched.forward = lambda x: x  # type: ignore[method-assign, assignment]
    for model, device in (
        (plain(), CPU), (Counting(), gpu), (patched, gpu), (nn.Sequential(RandomErasing()), gpu),
    ):  # fmt: skip
        with replayed(model, device):
            assert model._compiled_call_impl is None


def test_what_was_called_before_is_called_afterwards() -> None:
    model, x = nn.Linear(2, 2), torch.rand(3, 2)
    with replayed(model, torch.device("cuda")):
        assert isinstance(model._compiled_call_impl, _Replayed)
        assert torch.equal(model(x), F.linear(x, model.weight, model.bias))
    assert model._compiled_call_impl is None


def test_modes_paths_and_layouts_are_kinds_of_their_own() -> None:
    model, images = network("topk", "injected"), IMAGES
    found: dict[str, list[Tensor]] = {"eager": [], "replayed": []}

    def passes(into: list[Tensor]) -> None:
        for _ in range(4):
            for path in ("injected", "exact"):
                set_path(model, path)
                into.append(model(images))
            into.append(model(images.to(memory_format=torch.channels_last)))
            into.append(model.train()(images))
            model.eval()

    with simulated(), torch.no_grad(), mock.patch.object(ranking, "may_look", return_value=False):
        state = copy.deepcopy(model.state_dict())
        passes(found["eager"])
        model.load_state_dict(state)
        with replayed(model, torch.device("cuda")):
            passes(found["replayed"])
            assert len(model._compiled_call_impl.captured) == 4  # type: ignore[attr-defined]
    for ours, theirs in zip(found["replayed"], found["eager"], strict=True):
        assert torch.equal(ours, theirs)
