"""The same images in every form in which they may be handed over."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

import nenni
from nenni.core.errors import UserError
from nenni.data.batches import (
    all_labelled,
    check_repeatable,
    count_batches,
    image_batches,
    labelled_batches,
    one_image,
    reordered,
)

X, Y = torch.rand(10, 1, 4, 4, generator=torch.Generator().manual_seed(0)), torch.arange(10)
CPU, ANY = torch.device("cpu"), nn.Identity()


class Pictures(Dataset[Tensor]):
    """A map-style data set without labels."""

    def __getitem__(self, index: int) -> Tensor:
        return X[index]

    def __len__(self) -> int:
        return len(X)


class Named(NamedTuple):
    target: Tensor
    img: Tensor


def cut() -> list[tuple[Tensor, Tensor]]:
    """Batches of four."""
    return list(zip(X.split(4), Y.split(4), strict=True))


class Stream(IterableDataset[Tensor]):
    def __iter__(self) -> Any:
        return iter(X)


LABELLED: dict[str, Callable[[], Any]] = {
    "pair": lambda: (X, Y),
    "list of two": lambda: [X, Y],
    "bytes as labels": lambda: (X, Y.byte()),
    "loader": lambda: DataLoader(TensorDataset(X, Y), batch_size=4),
    "list": lambda: [(X[:4], Y[:4]), [X[4:8], Y[4:8]], (X[8:], Y[8:], "an index")],
    "data set": lambda: TensorDataset(X, Y),
    "subset": lambda: Subset(TensorDataset(X, Y), range(10)),
    "short integers as labels": lambda: (X, Y.to(torch.uint16)),
    "arrays": lambda: (X.numpy(), Y.numpy()),
    "arrays, turned round": lambda: (X.flip(0).numpy()[::-1], Y.flip(0).numpy()[::-1]),
    "arrays of another machine": lambda: (X.numpy().astype(">f4"), Y.numpy().astype(">u8")),
    "list as labels": lambda: (X, Y.tolist()),
    "with an index": lambda: (X, Y, torch.arange(10)),
    "loader of arrays": lambda: [(x.numpy(), y.tolist()) for x, y in cut()],
    "loader of dicts": lambda: [{"label": y, "image": x, "path": "?"} for x, y in cut()],
    "loader as transformers have it": lambda: [{"pixel_values": x, "labels": y} for x, y in cut()],
    "loader of named tuples": lambda: [Named(y, x) for x, y in cut()],
    "dict": lambda: {"images": X, "labels": Y},
    "numbers as labels": lambda: [(x, int(y)) for x, y in zip(X, Y, strict=True)],
}
IMAGES: dict[str, Callable[[], Any]] = {
    "tensor": lambda: X,
    "loader of images": lambda: DataLoader(Pictures(), batch_size=4),
    "split": lambda: X.split(4),
    "two batches": lambda: X.split(5),
    "data set of images": Pictures,
}


def given(name: str) -> Any:
    """The data of a name; a list of (image, number) is a data set by another name."""
    data = (LABELLED | IMAGES)[name]()
    if name == "numbers as labels":

        class Listed(Dataset[Any]):
            def __getitem__(self, index: int) -> Any:
                return data[index]

            def __len__(self) -> int:
                return len(data)

        return Listed()
    return data


@pytest.mark.parametrize("name", LABELLED)
def test_images_and_labels_are_the_same_in_every_form(name: str) -> None:
    state = torch.random.get_rng_state()
    batches = list(labelled_batches(given(name), 4, CPU))
    assert torch.equal(torch.random.get_rng_state(), state) or name == "loader"
    assert [len(x) for x, _ in batches] == [4, 4, 2]
    assert torch.equal(torch.cat([x for x, _ in batches]), X)
    assert torch.equal(torch.cat([y for _, y in batches]), Y)
    assert count_batches(given(name), 4) == 3
    for examples, count in ((3, 1), (4, 1), (5, 2), (99, 3)):
        few = list(labelled_batches(given(name), 4, CPU, examples))
        assert sum(len(x) for x, _ in few) == min(examples, 10)
        assert len(few) == count
        if name != "list" and not name.startswith("loader of") and "transformers" not in name:
            assert count_batches(given(name), 4, examples) == count
        x, y = all_labelled(given(name), CPU, examples)
        assert torch.equal(x, X[:examples])
        assert torch.equal(y, Y[:examples])


@pytest.mark.parametrize("name", [*LABELLED, *IMAGES])
def test_images_are_the_same_in_every_form(name: str) -> None:
    assert torch.equal(torch.cat(list(image_batches(given(name), 4, ANY))), X)
    assert torch.equal(one_image(given(name), ANY), X[:1])


@pytest.mark.parametrize("name", IMAGES)
def test_missing_labels_are_an_error(name: str) -> None:
    with pytest.raises(UserError, match=r"labels are needed: give \(images, labels\)"):
        next(labelled_batches(given(name), 4, CPU))


def test_another_order_is_that_of_what_has_none() -> None:
    order = torch.randperm(10, generator=torch.Generator().manual_seed(1))
    for name in ("tensor", "pair", "data set", "data set of images"):
        found = torch.cat(list(image_batches(reordered(given(name), order), 4, ANY)))
        assert torch.equal(found, X[order])
    loader = given("loader")
    assert reordered(loader, order) is loader


def test_an_iterator_is_good_for_one_pass() -> None:
    once = iter([(X, Y)])
    assert torch.equal(next(labelled_batches(once, 4, CPU))[0], X)
    with pytest.raises(UserError, match="no batch; an iterator that was gone through gives none"):
        next(labelled_batches(once, 4, CPU))
    for several in (check_repeatable, lambda data: one_image(data, ANY)):
        with pytest.raises(UserError, match="an iterator gives them once: give a loader"):
            several(iter([X]))
    assert count_batches(iter([X]), 4) is None


FORMS: list[Callable[[Any], Any]] = [tuple, list, lambda pair: [pair]]
NO_LABELS = [Y[:, None], torch.eye(10), torch.eye(10).long(), Y[0], Y.float(), Y > 4]
SHAPED = r"labels should be whole numbers of shape \(10,\), got .* give labels.argmax"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "there are no images"),
        (X[:0], "there are no images"),
        ((X[:0], Y[:0]), "there are no images"),
        ([X[:0]], "there are no images"),
        ((X, Y[:9]), "10 images and 9 labels"),
        ([(X, Y[:9])], "10 images and 9 labels"),
        *((form((X, wrong)), SHAPED) for form in FORMS for wrong in NO_LABELS),
        (Stream(), "a map-style data set, got a Stream"),
        (3, "a map-style data set, got a int"),
        ([{"z": X}], "a dict should have its images under one of image, .* got z"),
        ([{"x": X, "image": X}], "a dict should have its images under one of .* got x, image"),
        ([{"image": X}], "labels are needed"),
        (["x"], "as tensors or arrays, got a str"),
        ([(Y, X)], r"images, then labels; got shapes \(10,\) and \(10, 1, 4, 4\)"),
        ([(X[0], 3)], r"a single one of shape \(1, 4, 4\): give a DataLoader with a batch_size"),
        ((X, Y.tolist()[:9]), "10 images and 9 labels"),
        ((X, Y.to("meta")), "labels are on the device meta"),
        ((X.to("meta"), Y), "images of shape .* are on the device meta"),
        ((X.to_sparse(), Y), r"give images.to_dense\(\)"),
        ((X[..., :0], Y), r"images of shape \(10, 1, 4, 0\) have no pixels"),
        ((X, torch.full((10,), 2**64 - 1, dtype=torch.uint64)), "classes from 0; .* 2\\*\\*63"),
        ((X, list("abcdefghij")), "labels are needed: .* the labels as numbers"),
        ((X, None), "labels are needed"),
        (TensorDataset, "a map-style data set, got a type"),
    ],
)
def test_what_is_no_data_is_an_error(data: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        list(labelled_batches(data, 4, CPU))


def test_items_that_make_no_batch_are_an_error() -> None:
    class Odd(Pictures):
        def __getitem__(self, index: int) -> Tensor:
            return X[index, :, : 1 + index % 2]

    with pytest.raises(UserError, match="images as tensors of one size"):
        list(image_batches(Odd(), 4, ANY))


class Broken(Pictures):
    """What one's own data set raises."""

    def __getitem__(self, index: int) -> Tensor:
        raise FileNotFoundError(2, "No such file", "image\n7.png")


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_a_data_set_is_told_in_a_line(workers: int) -> None:
    for data in (DataLoader(Broken(), 4, num_workers=workers), Broken()):
        with pytest.raises(UserError, match=r"the data cannot be read: .*No such file") as told:
            list(image_batches(data, 4, ANY))
        assert "\n" not in str(told.value)


def test_a_loader_of_a_stream_does_not_know_how_many_batches_it_has() -> None:
    loader = DataLoader(Stream(), batch_size=4)
    assert count_batches(loader, 4) is None
    assert torch.equal(torch.cat(list(image_batches(loader, 4, ANY))), X)


@pytest.mark.parametrize("form", FORMS[:2])
@pytest.mark.parametrize("wrong", NO_LABELS)
def test_a_pair_is_no_list_of_images(form: Callable[[Any], Any], wrong: Tensor) -> None:
    with pytest.raises(UserError, match=SHAPED):
        list(image_batches(form((X, wrong)), 4, ANY))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: (x * 255).byte(), "images should be float32, got torch.uint8: divide bytes by 255"),
        (lambda x: x > 0, "images should be float32, got torch.bool"),
        (Tensor.double, r"are torch.float64 and the model's weights torch.float32: give images.to\("),
        (Tensor.half, "are torch.float16 and the model's weights torch.float32"),
        (lambda x: x / 0, "images should be finite numbers"),
        (lambda x: x.index_fill(0, torch.tensor(3), torch.inf), "images should be finite numbers"),
    ],
)  # fmt: skip
def test_public_functions_refuse_what_is_no_image(
    change: Callable[[Tensor], Tensor], message: str, trained: nn.Module, noisy: nn.Module
) -> None:
    bad = change(torch.rand(4, 1, 28, 28))
    spec = nenni.InjectionSpec(nenni.TopK(0.5), nenni.Sparse(0.25))
    whole = [lambda: nenni.fit(noisy, bad), lambda: nenni.report(noisy, bad)]
    whole += [lambda: nenni.describe(noisy, bad), lambda: nenni.inject(trained, spec, bad[3:])]
    for call in whole:
        with pytest.raises(UserError, match=message):
            call()


def test_public_functions_take_every_form(
    trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    """With the same results, bit for bit."""
    images, labels = digits[0][:60], digits[1][:60]
    forms: list[Any] = [
        (images, labels),
        [images, labels],
        DataLoader(TensorDataset(images, labels), batch_size=20),
        TensorDataset(images, labels),
    ]
    spec = nenni.InjectionSpec(nenni.Threshold(0.5), nenni.Sparse(0.25))
    found = []
    for data in forms:
        noisy = nenni.inject(trained, spec, data, seed=1)
        nenni.fit(noisy, data, batch_size=20)
        attacks = {"pgd": {"name": "pgd", "steps": 2}}
        table = nenni.evaluate(noisy, data, attacks, eps=0.05, batch_size=20).examples
        described = nenni.describe(noisy, data, batch_size=20)
        found.append(
            (noisy.state_dict(), nenni.report(noisy, data, batch_size=20), table, described)
        )
    state, report, table, described = found[0]
    for other in found[1:]:
        assert all(torch.equal(state[name], tensor) for name, tensor in other[0].items())
        assert report.equals(other[1])
        assert table.equals(other[2])
        assert described == other[3]
    assert described["model"] == "Sequential"
