"""Networks of anybody's: copies for what they overwrite, and their errors in one line."""

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import nenni
from nenni.core import plugins
from nenni.core.errors import UserError
from nenni.cost.bench import measure
from nenni.networks.asking import answer, check_answer

EPS = 4 / 255


def body() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(),
            nn.Linear(128, 16), nn.ReLU(), nn.Linear(16, 4),
        ).eval()  # fmt: skip


X = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))
Y = torch.arange(16) % 4
SPEC = nenni.InjectionSpec(nenni.TopK(0.5), nenni.Sparse(0.25), min_inputs=32)


class Changed(nn.Module):
    """A network around another."""

    def __init__(
        self,
        before: Callable[[Tensor], Any] = lambda x: x,
        after: Callable[[Tensor], Any] = lambda z: z,
    ) -> None:
        super().__init__()
        self.body, self.before, self.after = body(), before, after
        self.eval()

    def forward(self, x: Tensor) -> Any:
        self.before(x)
        return self.after(self.body(x))


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


ENTRIES: dict[str, Callable[[nn.Module, Tensor], object]] = {
    "inject": lambda model, x: nenni.inject(model, SPEC, x),
    "describe": lambda model, x: nenni.describe(model, x),
    "evaluate": lambda model, x: nenni.evaluate(
        model, (x, Y), {"pgd": {"name": "pgd", "steps": 2}}, eps=EPS
    ),
    "diagnose": lambda model, x: nenni.diagnose(model, (x[:4], Y[:4]), eps=EPS),
    "fgsm": lambda model, x: nenni.fgsm(model, x, Y, EPS, draws()),
    "pgd": lambda model, x: nenni.pgd(model, x, Y, EPS, draws(), steps=2),
}
OVERWRITES: dict[str, Callable[[Tensor], Any]] = {
    "x -= mean": lambda x: x.sub_(0.5),
    "clamp_": lambda x: x.clamp_(0.2, 0.8),
    "div_": lambda x: x.div_(255),
    "x[:] = 0": lambda x: x.__setitem__(slice(None), x.flip(3)),
}


@pytest.mark.long
@pytest.mark.parametrize("before", OVERWRITES)
@pytest.mark.parametrize("entry", ENTRIES)
def test_what_a_network_overwrites_is_a_copy(entry: str, before: str) -> None:
    x = X.clone()
    ENTRIES[entry](Changed(OVERWRITES[before]), x)
    assert torch.equal(x, X)


@pytest.mark.long
def test_an_injected_network_that_overwrites_its_images_is_fitted_as_one_that_does_not() -> None:
    found = []
    for before in (lambda x: x.sub_(0.5), lambda _: None):
        x = X - (0.5 if found else 0)
        kept = x.clone()
        noisy = nenni.inject(Changed(before), SPEC, x[:1])
        nenni.fit(noisy, x, epochs=1)
        found.append(nenni.report(noisy, x))
        nenni.describe(noisy, x)
        nenni.flop_count(noisy, x[:1])
        measure(noisy, x[:2], "fp32", batch_size=2)
        assert torch.equal(x, kept)
    for column in found[0].columns[1:]:
        assert found[0][column].to_numpy() == pytest.approx(found[1][column].to_numpy(), rel=1e-4)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(plugins.names("attack")))
def test_no_attack_lets_a_network_change_the_images(name: str) -> None:
    attack, x, model = plugins.load("attack", name), X.clone(), Changed(OVERWRITES["x -= mean"])
    if name == "autoattack":
        pytest.importorskip("pyautoattack")
    if name == "mask_flip":
        model = nenni.inject(model, SPEC, X[:1])
    found = attack(model, x, Y, EPS, draws(), **FEW.get(name, {}))
    assert torch.equal(x, X)
    assert (found - X).abs().max() <= EPS + 1e-6 or name in ("cw_l2", "ddn", "deepfool")


FEW: dict[str, dict[str, int]] = {
    "pgd": {"steps": 2}, "bim": {"steps": 2}, "apgd": {"steps": 4}, "apgd_targeted": {"steps": 4},
    "square": {"queries": 5}, "rays": {"queries": 5}, "hopskipjump": {"steps": 2, "directions": 5},
    "cw_l2": {"steps": 2, "searches": 1}, "ddn": {"steps": 3}, "fmn": {"steps": 3},
}  # fmt: skip


class MistakeError(Exception):
    """Of nobody's kind."""


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("wrong\nsize"), "ValueError: wrong size"),
        (AssertionError(), "AssertionError"),
        (AssertionError("28 x 28 alone"), "AssertionError: 28 x 28 alone"),
        (RuntimeError("no\tway"), "RuntimeError: no way"),
        (KeyError("mean"), "KeyError: 'mean'"),
        (StopIteration(), "StopIteration"),
        (RecursionError("deep"), "RecursionError: deep"),
        (MistakeError("mine"), "MistakeError: mine"),
    ],
)
@pytest.mark.parametrize("entry", ENTRIES)
def test_an_error_of_a_network_is_told_in_one_line(entry: str, error: Exception, told: str) -> None:
    def fail(_: Tensor) -> None:
        raise error

    with pytest.raises(UserError) as said:
        ENTRIES[entry](Changed(fail), X.clone())
    assert str(said.value).startswith("the model does not accept images, torch.float32 of shape")
    assert str(said.value).endswith(f": {told}")


def test_a_users_mistake_in_a_network_stays_what_it_is() -> None:
    def fail(_: Tensor) -> None:
        raise UserError("mine")

    with pytest.raises(UserError, match=r"^mine$"):
        answer(Changed(fail), X)


@pytest.mark.parametrize(
    ("images", "remedy"),
    [
        (X.permute(0, 2, 3, 1), r"are they \(N, H, W, C\)\? give images.permute\(0, 3, 1, 2\)$"),
        (X.double(), r"its weights are torch.float32: give images.to\(torch.float32\)$"),
        (X[:, :2], "to have 3 channels, but got 2 channels instead$"),
    ],
)
def test_the_remedy_is_named_where_it_can_be_known(images: Tensor, remedy: str) -> None:
    with pytest.raises(UserError, match=remedy):
        answer(body(), images)


@dataclass
class Output:
    """As the models of transformers answer."""

    logits: Tensor


Pair = namedtuple("Pair", "aux logits")
OUTPUTS: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "dict": (lambda z: {"logits": z, "aux": z}, "a dict; .* one of its entries, logits, aux$"),
    "tuple": (lambda z: (z, z), "a tuple; .* one of its entries$"),
    "list": (lambda z: [z], "a list; .* one of its entries$"),
    "dataclass": (Output, r"a Output; .* returns its .logits$"),
    "named tuple": (lambda z: Pair(z, z), r"a Pair; .* returns its .logits$"),
    "array": (lambda z: z.detach().numpy(), "a ndarray; it should return logits$"),
    "nothing": (lambda _: None, "a NoneType; it should return logits$"),
    "map": (lambda z: z[:, :, None, None], r"shape \(\d+, 4, 1, 1\) .*outputs.flatten\(1\)$"),
    "one": (lambda z: z[:, :1], "one number per image"),
    "flat": (lambda z: z[:, 0], "it should return logits"),
    "complex": (lambda z: z + 0j, "torch.complex64 .*it should return logits"),
    "one-hot": (lambda z: z > z.mean(), "torch.bool .*it should return logits"),
    "fewer": (lambda z: z[:1], "it should return logits"),
}  # fmt: skip


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("entry", ["evaluate", "pgd"])
def test_what_are_no_logits_is_refused(entry: str, output: str) -> None:
    after, told = OUTPUTS[output]
    if (entry, output) == ("evaluate", "fewer"):
        return  # of one image it gives one
    with pytest.raises(UserError, match=told):
        ENTRIES[entry](Changed(after=after), X)


@pytest.mark.parametrize(
    "after",
    [
        lambda z: z.log_softmax(1), lambda z: z.softmax(1), lambda z: z.half(),
        lambda z: z.bfloat16(), lambda z: z.double(), lambda z: z[:, :4] * 1e6,
    ],
)  # fmt: skip
def test_logits_of_every_kind_are_taken(after: Callable[[Tensor], Tensor]) -> None:
    model = Changed(after=after)
    for entry in ("evaluate", "pgd"):
        ENTRIES[entry](model, X)
    labels = torch.zeros(16, dtype=torch.int32)
    assert check_answer(labels, X) is labels


@pytest.mark.parametrize(
    ("images", "labels", "told"),
    [
        ((X * 255).byte(), Y, "divide bytes by 255"),
        (X * 2, Y, r"images should be in \[0, 1\]"),
        (X * torch.nan, Y, r"images should be in \[0, 1\]"),
        (X, Y.float(), "labels should be whole numbers"),
        (X, Y[:, None], "labels should be whole numbers"),
        (X, Y[:9], "16 images and 9 labels"),
        (X, Y.int(), r"labels should be torch.int64 .* give labels.to\(images.device, torch.int64"),
        (X, Y - 1, "the label of image 0 is -1"),
        (X, Y + 1, "a label is 4, and the model knows 0 to 3"),
    ],
)  # fmt: skip
def test_an_attack_called_by_itself_refuses_what_is_no_data(
    images: Tensor, labels: Tensor, told: str
) -> None:
    for attack in (nenni.pgd, nenni.fgsm):
        with pytest.raises(UserError, match=told):
            attack(body(), images, labels, EPS, draws())


def lazy() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(16), nn.ReLU(), nn.Linear(16, 4)).eval()


def on_meta() -> nn.Module:
    model = body()
    model[5] = nn.Linear(128, 16, device="meta")
    return model


def with_meta_buffer() -> nn.Module:
    model = body()
    model[5].register_buffer("mean", torch.zeros(3, device="meta"))
    return model


@pytest.mark.parametrize("entry", [*ENTRIES, "save"])
@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lazy, r"lazy modules\), as its layer 1 \(LazyLinear\): load its weights, or ask it once"),
        (on_meta, r"device meta, .* as its layer 5 \(Linear\): load its weights first"),
        (with_meta_buffer, r"device meta, .* as its layer 5 \(Linear\): load its weights first"),
    ],
)
def test_a_network_without_weights_is_refused(
    entry: str, make: Callable[[], nn.Module], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        (ENTRIES | {"save": lambda model, _: nenni.save(model, "none")})[entry](make(), X)
