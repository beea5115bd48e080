"""Networks whose weights are computed from others are copied, injected and judged as any other."""

from collections.abc import Callable
from operator import eq
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

import nenni
from nenni.core.errors import UserError
from nenni.evaluation.subject import examine
from nenni.networks.copying import copied


def pruned(layer: nn.Module) -> nn.Module:
    return prune.l1_unstructured(layer, "weight", 0.3)  # type: ignore[no-any-return]


def twice_pruned(layer: nn.Module) -> nn.Module:
    return prune.random_structured(pruned(layer), "weight", 0.2, dim=0)  # type: ignore[no-any-return]


KINDS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "weight_norm before 2.0": weight_norm,
    "spectral_norm before 2.0": spectral_norm,
    "pruned": pruned,
    "pruned twice": twice_pruned,
    "weight_norm": parametrizations.weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
}
X = torch.rand(24, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def network(kind: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        around = KINDS[kind]
        model = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), around(nn.Conv2d(16, 16, 3, padding=1)),
            nn.ReLU(), nn.Flatten(), around(nn.Linear(1024, 64)), nn.ReLU(), nn.Linear(64, 4),
        )  # fmt: skip
        model(X)
    return model.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_answers_alike_and_learns_by_itself(kind: str) -> None:
    model = network(kind)
    before, again = model(X), copied(model)
    assert torch.equal(again(X), before)
    with torch.no_grad():
        for p in again.parameters():
            p.mul_(1.5)
    assert not torch.allclose(again(X), before)
    assert torch.equal(model(X), before)
    again(X).sum().backward()
    assert all(p.grad is not None for p in again.parameters())
    assert examine(model, X, eps=0.03, norm="linf").copied


@pytest.mark.parametrize("layers", [(), ("type:Conv2d",)])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_injected_saved_and_removed(
    kind: str, layers: tuple[str, ...], tmp_path: Path
) -> None:
    model = network(kind)
    spec = nenni.InjectionSpec(
        nenni.TopK(0.5), nenni.Sparse(0.25), layers=layers, normalise=False, min_inputs=32
    )  # fmt: skip
    noisy = nenni.inject(model, spec, X[:1])
    nenni.fit(noisy, X)
    assert list(nenni.report(noisy, X)["layer"]) == (["2"] if layers else ["2", "5"])
    nenni.save(noisy, tmp_path / "n.safetensors")
    assert torch.equal(nenni.load(tmp_path / "n.safetensors", model, X[:1])(X), noisy(X))
    assert torch.allclose(nenni.remove(noisy)(X), model(X), atol=1e-6)
    assert nenni.describe(model, X[:1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_rounded_exact_path_has_the_weight_of_now(kind: str) -> None:
    """And not that of the last pass: hooks compute the weight before each pass of the layer."""
    spec = nenni.InjectionSpec(
        nenni.All(), nenni.Sparse(0.25), normalise=False, min_inputs=32, exact_bits=16
    )
    noisy = nenni.inject(network(kind), spec, X[:1])
    nenni.fit(noisy, X)
    for _ in range(2):
        plain, rounded = nenni.remove(noisy)(X), noisy(X)
        assert (rounded - plain).abs().max() < 1e-3 * plain.abs().max()
        with torch.no_grad():
            for name, p in noisy.named_parameters():
                if "wrapped" in name and "bias" not in name:
                    p.lerp_(p.flip(0), 0.1)
    for _ in range(2):  # with a graph of its own for each pass
        noisy(X).square().sum().backward()
    learned = [p for n, p in noisy.named_parameters() if "wrapped" in n and "bias" not in n]
    assert all(p.grad is not None for p in learned)


def body() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(),
            nn.Flatten(), nn.Linear(128, 32), nn.ReLU(), nn.Linear(32, 4),
        ).eval()  # fmt: skip


class Around(nn.Module):
    """A network with a body of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.body = body()
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)  # type: ignore[no-any-return]


def compiled_within() -> nn.Module:
    model = body()
    model[6] = torch.compile(model[6], backend="eager")
    return model


def compiled_in_place() -> nn.Module:
    model = body()
    model.compile(backend="eager")
    return model


def of_one_storage() -> nn.Module:
    """As optimisers flatten parameters: views of one tensor."""
    model = body()
    flat = torch.cat([model[6].weight.detach().flatten(), model[8].weight.detach().flatten()])
    model[6].weight = nn.Parameter(flat[: 32 * 128].view(32, 128))
    model[8].weight = nn.Parameter(flat[32 * 128 :].view(4, 32))
    return model


class Tied(Around):
    def __init__(self) -> None:
        super().__init__()
        self.body[6] = nn.Sequential(nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 128))
        self.body[6][2].weight = self.body[6][0].weight
        self.body[8] = nn.Linear(128, 4)
        self.eval()


class OfBuffers(Around):
    """Complex numbers, whole ones, and one that no file keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filter", torch.ones(8, 5, dtype=torch.complex64))
        self.register_buffer("order", torch.arange(3).flip(0))
        self.register_buffer("mean", torch.full((3, 1, 1), 0.5), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        filtered = torch.fft.irfft2(torch.fft.rfft2(x) * self.filter, s=x.shape[2:])
        return super().forward(filtered[:, self.order] - self.mean)


class Keeps(Around):
    """What a module keeps beside its tensors."""

    def __init__(self, state: object) -> None:
        super().__init__()
        self.state = state

    def get_extra_state(self) -> object:
        return self.state

    def set_extra_state(self, state: object) -> None:
        self.state = state


def lazy_until_asked() -> nn.Module:
    model = body()
    model[6] = nn.LazyLinear(32)
    model(X)
    return model.eval()


PEOPLE: dict[str, Callable[[], nn.Module]] = {
    "compiled": lambda: torch.compile(body(), backend="eager"),
    "compiled within": compiled_within,
    "compiled in place": compiled_in_place,
    "traced by fx": lambda: torch.fx.symbolic_trace(body()),
    "frozen": lambda: body().requires_grad_(False),
    "double": lambda: body().double(),
    "of one storage": of_one_storage,
    "tied": Tied,
    "of buffers": OfBuffers,
    "lazy until asked": lazy_until_asked,
    "keeps a tensor": lambda: Keeps(torch.ones(3)),
    "keeps a dict": lambda: Keeps({"steps": 3, "names": ["a", "b"], "scale": 0.5}),
    "keeps nothing": lambda: Keeps(None),
}
SPEC = nenni.InjectionSpec(nenni.TopK(0.5), nenni.Sparse(0.25), min_inputs=32)


@pytest.mark.parametrize("kind", PEOPLE)
def test_networks_as_people_have_them_are_injected_saved_and_removed(
    kind: str, tmp_path: Path
) -> None:
    model = PEOPLE[kind]()
    x = X.double() if kind == "double" else X
    expected = model(x)
    for file, network in (("plain", model), ("noisy", nenni.inject(model, SPEC, x[:1]))):
        if file == "noisy":
            nenni.fit(network, x, batch_norms="kept")
            assert {"4", "3", "6"} & {n.split(".")[-1] for n in nenni.report(network, x)["layer"]}
        nenni.save(network, tmp_path / file)
        again = nenni.load(tmp_path / file, PEOPLE[kind](), x[:1])
        assert torch.equal(again(x), network(x))
        assert not any("_orig_mod" in name for name in again.state_dict())
        if hasattr(model, "state"):
            same = torch.equal if isinstance(model.state, Tensor) else eq
            assert same(again.state, model.state)  # type: ignore[arg-type]
    assert torch.allclose(nenni.remove(network)(x), expected, atol=1e-5)
    assert nenni.describe(network, x)["layers"]
    assert torch.equal(model(x), expected)


def test_a_compiled_injected_network_is_fitted_and_reported_as_it_is() -> None:
    noisy = nenni.inject(body(), SPEC, X[:1])
    compiled = torch.compile(noisy, backend="eager")
    compiled(X)
    nenni.fit(compiled, X)
    assert list(nenni.report(compiled, X)["layer"]) == ["3", "6"]
    assert compiled._orig_mod is noisy


def test_half_precision_is_reported_as_double_is() -> None:
    """Sums of more than 65,504 numbers."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 32, 3), nn.ReLU(), nn.Conv2d(32, 4, 3)
        ).eval()
    x, found = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0)), []
    for dtype in (torch.float16, torch.float64):
        noisy = nenni.inject(model.to(dtype), SPEC, x[:1].to(dtype))
        nenni.fit(noisy, x.to(dtype))
        found.append(nenni.report(noisy, x.to(dtype)).iloc[0, 1:].astype(float).to_numpy())
    assert found[0] == pytest.approx(found[1], rel=0.05, abs=0.01)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["scripted", "frozen script", "traced", "scripted within"])
def test_a_script_is_counted_as_what_it_was_made_from(kind: str) -> None:
    model = body()
    if kind == "scripted within":
        script: nn.Module = body()
        script[6] = torch.jit.script(script[6])  # type: ignore[operator]
    elif kind == "traced":
        script = torch.jit.trace(model, X[:2])
    else:
        script = torch.jit.script(model)
        script = torch.jit.freeze(script) if kind == "frozen script" else script
    layers, expected = (nenni.describe(m, X)["layers"] for m in (script, model))
    assert len(layers) == len(expected)
    for layer, other in zip(layers, expected, strict=True):
        names = {"name", "zero_inputs"} | ({"kind"} if kind == "frozen script" else set())
        assert {k: v for k, v in layer.items() if k not in names} == {
            k: v for k, v in other.items() if k not in names
        }
    if kind != "scripted within":
        with pytest.raises(UserError, match="is scripted or traced, which shows no layers; inject"):
            nenni.inject(script, SPEC, X[:1])


def dynamic() -> nn.Module:
    small = torch.ao.quantization.quantize_dynamic(body(), {nn.Linear}, dtype=torch.qint8)
    return small.eval()  # type: ignore[no-any-return]


def static() -> nn.Module:
    from torch.ao.quantization import get_default_qconfig_mapping
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    prepared = prepare_fx(body(), get_default_qconfig_mapping("x86"), (X,))
    prepared(X)
    return convert_fx(prepared).eval()  # type: ignore[no-any-return]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("make", [dynamic, static])
def test_quantised_networks_are_refused_but_by_attacks_without_a_gradient(
    make: Callable[[], nn.Module], tmp_path: Path
) -> None:
    model = make()
    data = (X, model(X).argmax(1))
    suite = {"square": {"name": "square", "queries": 5}}
    assert nenni.evaluate(model, data, suite, eps=0.01).robust_accuracy > 0
    with pytest.raises(UserError, match=r"or of quantised layers.*use attacks without one"):
        nenni.evaluate(model, data, {"fgsm": {"name": "fgsm"}})
    with pytest.raises(UserError, match=r"\((Linear|ConvReLU2d)\) is quantised, .* made from"):
        nenni.inject(model, SPEC, X[:1])
    with pytest.raises(UserError, match=r"quantised by torch .*describe the network that it was"):
        nenni.describe(model, X)
    with pytest.raises(UserError, match="is quantised, which cannot be kept: save the network"):
        nenni.save(model, tmp_path / "n.safetensors")


@pytest.mark.parametrize("state", [b"bytes", object(), {1: 2}, (1, 2), float("nan")])
def test_what_no_file_can_keep_is_named(state: object, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"_extra_state is a .*which cannot be kept: let its module"
    ):
        nenni.save(Keeps(state), tmp_path / "n.safetensors")
    assert not (tmp_path / "n.safetensors").exists()
