import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

import nenni
from nenni.core.errors import UserError
from nenni.core.io import read_tensors, write_tensors
from nenni.core.seeding import seeded
from nenni.method.fit import fit
from nenni.method.injection import inject, is_randomised, noisy_layers, remove
from nenni.method.network_file import is_network_file, load, save
from nenni.method.noise.approximation import Approximation
from nenni.method.noise.gaussian import GaussianNoise
from nenni.method.noise.resample import Resample
from nenni.method.noise.uniform import UniformNoise
from nenni.method.noise.zero import Zero
from nenni.method.projection.count_sketch import CountSketch
from nenni.method.projection.gaussian import Gaussian
from nenni.method.projection.sparse import Sparse
from nenni.method.projection.tap_shared import TapShared
from nenni.method.projection.tap_shared_pca import TapSharedPCA
from nenni.method.selection.all import All
from nenni.method.selection.block import Block
from nenni.method.selection.channel import Channel
from nenni.method.selection.inverted import Inverted
from nenni.method.selection.n_m import NM
from nenni.method.selection.none import Nothing
from nenni.method.selection.oracle import Oracle
from nenni.method.selection.random import Random
from nenni.method.selection.threshold import Threshold
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec
from nenni.networks.architecture import Architecture
from nenni.networks.build import architecture_of, build, remember
from nenni.networks.models.resnet_cifar import resnet_cifar
from nenni.networks.models.small_cnn import small_cnn

MakeSpec = Callable[..., InjectionSpec]


X = torch.zeros(1, 1, 28, 28)


CHOICES: list[dict[str, Any]] = [
    *({"projection": kind(0.2)} for kind in (Sparse, Gaussian, CountSketch, TapShared, TapSharedPCA)),
    *({"selection": kind(0.3)} for kind in (TopK, Threshold, Channel, Random, Inverted, Oracle)),
    *({"selection": s} for s in (All(), Nothing(), NM(2, 4), Block(0.5, 4, 2))),
    *({"noise": n} for n in (Approximation(), Zero(), GaussianNoise(), UniformNoise(), Resample(2))),
    {"normalise": True}, {"score": "magnitude"}, {"exact_bits": 6},
    {"weight_bits": 2, "input_bits": 16, "projected_bits": 32},
]  # fmt: skip


def plain() -> nn.Module:
    """The architecture of the trained network with other weights."""
    return small_cnn((1, 28, 28), 10, channels=[8, 8, 16, 16], hidden=32).eval()


@pytest.mark.parametrize("choices", CHOICES, ids=str)
def test_loading_gives_the_network_back(
    trained: nn.Module,
    make_spec: MakeSpec,
    digits: tuple[Tensor, Tensor],
    choices: dict[str, Any],
    tmp_path: Path,
) -> None:
    x = digits[0][:40]
    noisy = inject(trained, make_spec(**choices), X)
    fit(noisy, digits[0][:80])
    save(noisy, tmp_path / "m.safetensors")
    base = plain()
    before = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    loaded = load(str(tmp_path / "m.safetensors"), base)
    assert all(torch.equal(before[name], tensor) for name, tensor in base.state_dict().items())
    for draw in range(3):
        with seeded(draw):
            expected = noisy(x)
        with seeded(draw):
            assert torch.equal(loaded(x), expected)
    assert is_randomised(loaded) == is_randomised(noisy)
    for (name, layer), (other, twin) in zip(noisy_layers(noisy), noisy_layers(loaded), strict=True):
        assert name == other
        assert twin.choices == layer.choices
    assert torch.equal(remove(loaded)(x), trained(x))
    assert list(loaded.state_dict()) == list(noisy.state_dict())


def test_choices_of_single_layers_survive(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    spec = make_spec(
        layers=("!conv3",),
        overrides={
            "conv2": {"weight_bits": 8, "selection": NM(1, 2), "projection": TapShared(0.5)},
            "fc*": {"fraction": 0.125, "noise": Zero(), "score": "magnitude"},
        },
    )
    noisy = inject(trained, spec, X)
    fit(noisy, digits[0][:80])
    save(noisy, tmp_path / "m")
    loaded = load(tmp_path / "m", plain(), X)
    layers = dict(noisy_layers(loaded))
    assert list(layers) == ["conv2", "conv4", "fc1"]
    assert {name: layer.choices for name, layer in layers.items()} == {
        name: spec.of(name, "") for name in layers
    }
    assert layers["fc1"].choices.selection == TopK(0.125)
    assert torch.equal(loaded(digits[0][:40]), noisy(digits[0][:40]))


def test_fractions_changed_later_survive(
    noisy: nn.Module, digits: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    fit(noisy, digits[0][:80])
    nenni.method.injection.set_fractions(noisy, {"conv3": 0.75})
    save(noisy, tmp_path / "m")
    loaded = load(tmp_path / "m", plain(), X)
    assert dict(noisy_layers(loaded))["conv3"].choices.selection == TopK(0.75)
    assert torch.equal(loaded(digits[0][:40]), noisy(digits[0][:40]))


def test_batch_norms_are_found_again(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = resnet_cifar((3, 8, 8), 3, depth=8)
        x = torch.rand(20, 3, 8, 8)
        model(x)  # moves the running statistics
    noisy = inject(model.eval(), InjectionSpec(TopK(0.5), TapShared(0.25)), x[:1])
    fit(noisy, x)
    save(noisy, tmp_path / "m")
    loaded = load(tmp_path / "m", resnet_cifar((3, 8, 8), 3, depth=8).eval(), x[:1])
    assert all(layer.batch_norm for _, layer in noisy_layers(loaded))
    assert torch.equal(loaded(x), noisy(x))


def test_a_layer_under_two_names_is_saved(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.a, self.last = nn.Linear(4, 9), nn.Linear(9, 9), nn.Linear(9, 2)
            self.b = self.a

        def forward(self, x: Tensor) -> Tensor:
            z: Tensor = self.last(self.b(self.a(self.first(x))))
            return z

    x = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    noisy = inject(Tied(), InjectionSpec(TopK(0.5), Sparse(0.5), min_inputs=1), x)
    assert noisy.b is noisy.a
    fit(noisy, x)
    save(noisy, tmp_path / "m")
    loaded = load(tmp_path / "m", Tied(), x)
    assert loaded.b is loaded.a
    assert torch.equal(loaded(x), noisy(x))


def test_the_same_network_gives_the_same_bytes(noisy: nn.Module, tmp_path: Path) -> None:
    save(noisy, tmp_path / "a")
    save(noisy, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.fixture
def file(noisy: nn.Module, digits: tuple[Tensor, Tensor], tmp_path: Path) -> Path:
    fit(noisy, digits[0][:80])
    save(noisy, tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0, 0.9999))
def test_a_truncated_file_is_refused(file: Path, share: float) -> None:
    data = file.read_bytes()
    cut = file.with_name("cut")
    cut.write_bytes(data[: int(share * len(data))])
    with pytest.raises(UserError, match="cut: is damaged"):
        load(cut, plain(), X)


@pytest.mark.parametrize("junk", [b"", b"junk", bytes(100), b"\xff" * 4096])
def test_a_damaged_file_is_refused(file: Path, junk: bytes) -> None:
    file.write_bytes(junk)
    with pytest.raises(UserError, match="is damaged"):
        load(file, plain(), X)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere: is missing"):
        load(tmp_path / "nowhere", plain(), X)


def test_a_pickle_is_refused_and_not_run(file: Path, noisy: nn.Module) -> None:
    class Payload:
        def __reduce__(self) -> Any:
            return Path.touch, (file.with_name("ran"),)

    torch.save(noisy.state_dict() | {"payload": Payload()}, file)
    with pytest.raises(UserError, match="is damaged"):
        load(file, plain(), X)
    assert not file.with_name("ran").exists()


def test_other_safetensors_are_refused(file: Path, noisy: nn.Module) -> None:
    save_file(noisy.state_dict(), file)
    with pytest.raises(UserError, match="holds tensors alone, written by another program"):
        load(file, plain(), X)
    save_file(noisy.state_dict(), file, {"format": "pt"})
    with pytest.raises(UserError, match="holds tensors alone, written by another program"):
        load(file, plain(), X)


def test_another_version_is_named(file: Path, noisy: nn.Module) -> None:
    write_tensors(file, noisy.state_dict(), {"model": {"name": "small_cnn"}, "injection": None})
    with pytest.raises(UserError, match=r"m.safetensors: was not written by nenni.save, or by"):
        load(file, plain(), X)


@pytest.mark.parametrize(
    ("other", "tensor"),
    [
        (lambda: small_cnn((1, 28, 28), 10, channels=[8, 8, 16, 16], hidden=31), "fc1.W_tilde"),
        (lambda: small_cnn((1, 28, 28), 10, channels=[8, 8, 16, 12], hidden=32), "conv4.W_tilde"),
        (lambda: small_cnn((1, 28, 28), 7, channels=[8, 8, 16, 16], hidden=32), "fc2.bias"),
        (lambda: small_cnn((1, 28, 28), 10, channels=[9, 8, 16, 16], hidden=32), "conv1.bias"),
        (lambda: plain().double(), "conv1.bias"),
        (lambda: nn.Sequential(*[*plain().children()][:-1], nn.BatchNorm1d(32)), "0.bias"),
    ],
)
def test_another_architecture_is_refused(
    file: Path, other: Callable[[], nn.Module], tensor: str
) -> None:
    """The first tensor in the order of names that differs; or the layer that is not there."""
    network = other().eval()
    x = X.to(next(network.parameters()))
    if tensor == "0.bias":
        with pytest.raises(UserError, match="'conv2' matches none of: 0, 2, 4"):
            load(file, network, x)
        return
    with pytest.raises(UserError, match=rf"{file}: does not fit: {tensor} should be .*, is .*"):
        load(file, network, x)


def edited(file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    tensors, meta = read_tensors(file)
    changed = change(meta)
    write_tensors(file, tensors, changed if isinstance(changed, list) else meta)


def meta_of(file: Path) -> Any:
    with safe_open(file, framework="pt") as opened:
        assert list(opened.metadata()) == ["nenni"]
        return json.loads(opened.metadata()["nenni"])


@pytest.mark.parametrize(
    "change",
    [
        lambda meta: meta.update(format=3),
        lambda meta: meta.pop("format"),
        lambda meta: meta.pop("defence"),
        lambda meta: meta.pop("input_shape"),
        lambda meta: meta.update(defence=[]),
        lambda meta: meta.update(defence={}),
        lambda meta: meta.update(defence={"name": "nenni"}),
        lambda meta: meta.update(defence={"name": "nenni", "layers": {}}),
        lambda meta: meta["defence"].update(name="absent"),
        lambda meta: meta["defence"].update(name="../core/io"),
        lambda meta: meta["defence"].update(more=1),
        lambda meta: meta["defence"].update(layers=[]),
        lambda meta: meta.update(input_shape=[1, 28, 0]),
        lambda meta: meta.update(input_shape=[1, 28, True]),
        lambda meta: meta.update(input_shape="1x28x28"),
        lambda meta: meta.update(input_shape=5),
        lambda meta: meta.update(input_shape=[]),
        lambda meta: meta.update(format=True),
        lambda meta: meta.update(n_classes=2.5),
        lambda meta: meta.update(model="small_cnn"),
        lambda meta: meta.update(model={"name": "absent"}),
        lambda meta: meta.update(model={"name": "../../core/io"}),
        lambda meta: meta.update(model={"name": "small_cnn", "hidden": 0}),
        lambda meta: meta["defence"]["layers"]["conv2"].pop("score"),
        lambda meta: meta["defence"]["layers"]["conv2"].update(more=1),
        lambda meta: meta["defence"]["layers"]["conv2"].update(weight_bits=9),
        lambda meta: meta["defence"]["layers"]["conv2"].update(selection={"name": "unknown"}),
        lambda meta: meta["defence"]["layers"]["conv2"].update(selection={"name": "topk", "fraction": 2}),
        lambda meta: meta["defence"]["layers"]["conv2"].update(selection={"name": "topk"}),
        lambda meta: meta["defence"]["layers"]["conv2"].update(selection="topk"),
        lambda meta: meta["defence"]["layers"]["conv2"].update(selection={"name": "../io"}),
        lambda meta: meta["defence"]["layers"]["conv2"].update(selection={"name": "_ranking"}),
        lambda meta: meta["defence"]["layers"].update(conv2=3),
        lambda meta: meta["defence"]["layers"].update(conv9=meta["defence"]["layers"]["conv2"]),
        lambda meta: [1, 2],
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_the_name_of_the_file(
    file: Path, change: Callable[[dict[str, Any]], Any]
) -> None:
    assert load(file, plain())
    edited(file, change)
    with pytest.raises(UserError, match=rf"^{re.escape(str(file))}: [^\n]+$"):
        load(file, plain(), X)


@pytest.mark.parametrize("name", ["conv2.P", "fc2.weight", "conv3.threshold"])
def test_a_tensor_missing_or_too_many_is_named(file: Path, name: str) -> None:
    tensors, meta = read_tensors(file)
    write_tensors(file, {k: v for k, v in tensors.items() if k != name}, meta)
    with pytest.raises(UserError, match=rf"does not fit: it lacks {re.escape(name)}$"):
        load(file, plain(), X)
    write_tensors(file, tensors | {f"{name}.more": torch.zeros(2)}, meta)
    with pytest.raises(
        UserError, match=rf"it has {re.escape(name)}.more, which the network has not"
    ):
        load(file, plain(), X)


def test_a_plain_network_is_saved(trained: nn.Module, tmp_path: Path) -> None:
    save(trained, tmp_path / "m")
    assert meta_of(tmp_path / "m") == {
        "format": 2, "model": None, "input_shape": None, "n_classes": None, "defence": None,
    }  # fmt: skip
    loaded = load(tmp_path / "m", plain())
    assert all(
        torch.equal(a, b) for a, b in zip(loaded.parameters(), trained.parameters(), strict=True)
    )
    with pytest.raises(UserError, match="does not say its architecture"):
        load(tmp_path / "m")


def test_the_choices_are_readable_json(file: Path) -> None:
    data = file.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    text = json.loads(data[8 : 8 + size])["__metadata__"]["nenni"]
    meta = json.loads(text)
    assert text == json.dumps(meta, sort_keys=True)
    assert meta["defence"]["layers"]["conv2"] == {
        "selection": {"name": "topk", "fraction": 0.5},
        "projection": {"name": "sparse", "ratio": 0.25},
        "noise": {"name": "approximation"},
        "weight_bits": 4, "input_bits": 4, "projected_bits": 4, "exact_bits": 32,
        "score": "signed", "normalise": False,
    }  # fmt: skip


SMALL = {"name": "small_cnn", "channels": [8, 8, 16, 16], "hidden": 32}


@pytest.fixture
def known(trained: nn.Module) -> nn.Module:
    """The trained network, built by name."""
    model = build(Architecture.read(Architecture(SMALL, (1, 28, 28), 10), "test"))
    model.load_state_dict(trained.state_dict())
    return model


def test_a_known_architecture_needs_nothing_else(
    known: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    noisy = inject(known, make_spec(), digits[0][:1])
    fit(noisy, digits[0][:80])
    for name, network in (("plain", known), ("noisy", noisy), ("removed", remove(noisy))):
        save(network, tmp_path / name)
        state = torch.random.get_rng_state()
        loaded = load(tmp_path / name)
        torch.random.set_rng_state(state)
        assert torch.equal(loaded(digits[0][:40]), network(digits[0][:40]))
        assert not any(module.training for module in loaded.modules())
        assert architecture_of(loaded) == Architecture(SMALL, (1, 28, 28), 10)
        save(loaded, tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == (tmp_path / name).read_bytes()
    assert meta_of(tmp_path / "noisy")["model"] == SMALL
    assert meta_of(tmp_path / "noisy")["defence"]["name"] == "nenni"


def test_the_architecture_is_named_when_saving(
    noisy: nn.Module, trained: nn.Module, digits: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    fit(noisy, digits[0][:80])
    save(noisy, tmp_path / "m", architecture=Architecture(SMALL, n_classes=10))
    loaded = load(tmp_path / "m")
    assert architecture_of(loaded).input_shape == (1, 28, 28), "as the injection saw it"
    assert torch.equal(loaded(digits[0][:40]), noisy(digits[0][:40]))
    for architecture, message in (
        ("absent", "architecture: model.name: unknown model 'absent'"),
        ({"name": "small_cnn", "hiden": 3}, "architecture: model.hiden: unknown key"),
        ("small_cnn", "the model small_cnn needs its n_classes"),
    ):
        with pytest.raises(UserError, match=message):
            save(noisy, tmp_path / "n", architecture=architecture)
    with pytest.raises(UserError, match="small_cnn needs its input_shape"):
        save(trained, tmp_path / "n", architecture="small_cnn")


def test_the_architecture_is_named_when_loading(noisy: nn.Module, tmp_path: Path) -> None:
    save(noisy, tmp_path / "m")
    loaded = load(tmp_path / "m", architecture=Architecture(SMALL, n_classes=10))
    assert torch.equal(loaded(X), noisy(X))
    save(loaded, tmp_path / "n")
    assert load(tmp_path / "n", architecture=SMALL)
    with pytest.raises(UserError, match="n: is of the model small_cnn, not resnet18"):
        load(tmp_path / "n", architecture="resnet18")


OWN = """
from pathlib import Path
from nenni.networks.models.small_cnn import small_cnn

def build():
    (Path(__file__).parent / "ran").touch()
    return small_cnn((1, 28, 28), 10, channels=[8, 8, 16, 16], hidden=32)
"""


def test_no_code_runs_that_a_file_alone_names(
    noisy: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    own = f"own_{tmp_path.name.replace('-', '_')}:build"
    (tmp_path / f"{own.partition(':')[0]}.py").write_text(OWN)
    file, ran = tmp_path / "m", tmp_path / "ran"
    save(noisy, file, architecture=own)
    assert meta_of(file)["model"] == {"name": "function", "function": own}
    for named in (None, "os:getcwd", "small_cnn"):
        with pytest.raises(UserError, match=rf"made by {own}, and .* \(--model {own}\)"):
            load(file, architecture=named)
    assert torch.equal(load(file, plain())(X), noisy(X))
    assert not ran.exists()
    assert torch.equal(load(file, architecture=own)(X), noisy(X))
    assert ran.exists()
    edited(file, lambda meta: meta.update(model={"name": own}))
    with pytest.raises(UserError, match="is run only if you name it"):
        load(file)


def test_an_injected_part_of_a_network_is_saved(
    noisy: nn.Module, trained: nn.Module, tmp_path: Path
) -> None:
    """A network around one that remembers is another network."""
    remember(noisy, Architecture(SMALL, (1, 28, 28), 10))
    save(nn.Sequential(nn.Identity(), noisy), tmp_path / "m")
    assert meta_of(tmp_path / "m")["model"] is None
    loaded = load(tmp_path / "m", nn.Sequential(nn.Identity(), plain()), X)
    assert torch.equal(loaded(X), noisy(X))
    with pytest.raises(UserError, match="does not say the shape of an image"):
        load(tmp_path / "m", nn.Sequential(nn.Identity(), plain()))


def test_files_of_the_first_format_are_read(file: Path, noisy: nn.Module) -> None:
    tensors, meta = read_tensors(file)
    write_tensors(file, tensors, {"format": 1, "layers": meta["defence"]["layers"]})
    assert torch.equal(load(file, plain(), X)(X), noisy(X))
    with pytest.raises(UserError, match="does not say the shape of an image"):
        load(file, plain())
    assert torch.equal(load(file, architecture=Architecture(SMALL, (1, 28, 28), 10))(X), noisy(X))


def test_files_of_others_are_told_apart(file: Path, noisy: nn.Module, tmp_path: Path) -> None:
    assert is_network_file(file)
    save_file(noisy.state_dict(), tmp_path / "theirs.safetensors")
    torch.save(noisy.state_dict(), tmp_path / "theirs.pt")
    assert not any(is_network_file(tmp_path / f"theirs.{end}") for end in ("safetensors", "pt"))
    assert not is_network_file(tmp_path / "absent")


def with_another_head(model: nn.Module) -> nn.Module:
    model.fc2 = nn.Linear(32, 7)
    return model


@pytest.mark.parametrize("change", [with_another_head, nn.Module.half])
@pytest.mark.parametrize("injected", [False, True])
def test_a_network_that_its_model_does_not_make_is_not_written(
    change: Callable[[nn.Module], nn.Module], injected: bool, make_spec: MakeSpec, tmp_path: Path
) -> None:
    """Neither half of them could be read again."""
    network = build(Architecture(SMALL, (1, 28, 28), 10))
    network = change(inject(network, make_spec(), X) if injected else network)
    state = torch.random.get_rng_state()
    with pytest.raises(UserError, match=r"should be .*no longer what its model small_cnn makes"):
        save(network, tmp_path / "m")
    assert not (tmp_path / "m").exists()
    assert torch.equal(torch.random.get_rng_state(), state)


def test_an_architecture_that_the_file_contradicts_is_refused(tmp_path: Path) -> None:
    save(build(Architecture(SMALL, (1, 28, 28), 10)), tmp_path / "m")
    load(tmp_path / "m", architecture="small_cnn")
    load(tmp_path / "m", architecture=SMALL)
    with pytest.raises(UserError, match="its model has hidden = 32, not 7"):
        load(tmp_path / "m", architecture={"name": "small_cnn", "hidden": 7})


def test_plugins_of_ones_own_are_hinted_at(file: Path) -> None:
    def unknown(meta: Any) -> None:
        meta["defence"]["layers"]["conv2"]["selection"] = {"name": "mine"}

    edited(file, unknown)
    with pytest.raises(UserError, match=r"unknown selection 'mine'.*--plugins"):
        load(file, plain())
    with pytest.raises(UserError, match="is damaged"):
        load(file.parent, plain())
