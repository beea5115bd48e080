import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchvision.models.vision_transformer import EncoderBlock

from nenni.core.errors import UserError
from nenni.cost.describe import describe
from nenni.method.fit import fit
from nenni.method.injection import inject, noisy_layers, remove, set_path
from nenni.method.projection.sparse import Sparse
from nenni.method.projection.tap_shared import TapShared
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec
from nenni.networks.attention import ExplicitAttention, make_attention_explicit, pack_attention

SPEC = InjectionSpec(TopK(0.5), TapShared(0.25), min_inputs=1)
N, L, S, HEADS, WIDTH = 3, 4, 5, 2, 8


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def attention(**choices: Any) -> nn.MultiheadAttention:
    """In float64 with biases that are not zero."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.MultiheadAttention(WIDTH, HEADS, **choices, dtype=torch.float64)
        for parameter in module.parameters():
            nn.init.normal_(parameter)
    return module.eval()


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=draws(seed), dtype=torch.float64)


def masks(kind: str, shape: tuple[int, ...], seed: int) -> Tensor | None:
    """No mask, one of booleans that leaves the first key to all, or one of numbers."""
    if kind == "none":
        return None
    closed = torch.rand(shape, generator=draws(seed)) < 0.4
    closed[..., 0] = False
    if kind == "bool":
        return closed
    return random(*shape, seed=seed).masked_fill(closed, -torch.inf)


def close(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@settings(max_examples=150, deadline=None)
@given(
    bias=st.booleans(), batch_first=st.booleans(), batched=st.booleans(),
    widths=st.sampled_from([(None, None), (6, None), (None, 10), (6, 10)]),
    attn=st.sampled_from(["none", "bool", "float"]), per_head=st.booleans(),
    padding=st.sampled_from(["none", "bool", "float"]),
    need_weights=st.booleans(), average=st.booleans(), self_attention=st.booleans(),
    grad=st.booleans(), seed=st.integers(0, 1000),
)  # fmt: skip
def test_explicit_attention_equals_torchs(
    bias: bool, batch_first: bool, batched: bool, widths: tuple[int | None, int | None], attn: str,
    per_head: bool, padding: str, need_weights: bool, average: bool, self_attention: bool,
    grad: bool, seed: int,
) -> None:  # fmt: skip
    if self_attention:
        widths = (None, None)
    module = attention(bias=bias, batch_first=batch_first, kdim=widths[0], vdim=widths[1])
    keys = L if self_attention else S
    query, key, value = (
        random(N, length, width or WIDTH, seed=seed + i)
        for i, (length, width) in enumerate(((L, None), (keys, widths[0]), (keys, widths[1])))
    )
    if self_attention:
        key = value = query
    if "none" not in (attn, padding):
        padding = attn  # torch wants both of one type
    count = N if batched else 1
    attn_mask = masks(attn, (count * HEADS, L, keys) if per_head else (L, keys), seed)
    padding_mask = masks(padding, (N, keys) if batched else (keys,), seed + 1)
    if not batched:
        query, key, value = (x[0] for x in (query, key, value))
    elif not batch_first:
        query, key, value = (x.transpose(0, 1) for x in (query, key, value))
    if self_attention:
        key = value = query
    arguments = {
        "key_padding_mask": padding_mask, "need_weights": need_weights, "attn_mask": attn_mask,
        "average_attn_weights": average,
    }  # fmt: skip
    with torch.set_grad_enabled(grad):
        expected = module(query, key, value, **arguments)
        found = ExplicitAttention(module)(query, key, value, **arguments)
    close(found[0], expected[0])
    assert (found[1] is None) == (expected[1] is None) == (not need_weights)
    if need_weights:
        close(found[1], expected[1])


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("kind", ["bool", "float"])
def test_a_causal_hint_changes_nothing_beside_its_mask(need_weights: bool, kind: str) -> None:
    module = attention(batch_first=True)
    mask = nn.Transformer.generate_square_subsequent_mask(L, dtype=torch.float64)
    mask = mask.isinf() if kind == "bool" else mask
    x = random(N, L, WIDTH)
    arguments = {"attn_mask": mask, "is_causal": True, "need_weights": need_weights}
    explicit = ExplicitAttention(module)
    close(explicit(x, x, x, **arguments)[0], module(x, x, x, **arguments)[0])
    later = x.clone()
    later[:, -1] = 9
    assert torch.equal(explicit(later, later, later, **arguments)[0][:, :-1],
                       explicit(x, x, x, **arguments)[0][:, :-1])  # fmt: skip


def test_a_causal_hint_without_its_mask_is_an_error_as_in_torch() -> None:
    module = attention(batch_first=True)
    x = random(N, L, WIDTH)
    with pytest.raises(RuntimeError, match="Need attn_mask"):
        module(x, x, x, is_causal=True)
    with pytest.raises(UserError, match="is_causal"):
        ExplicitAttention(module)(x, x, x, is_causal=True)


@pytest.mark.parametrize("need_weights", [True, False])
def test_dropout_acts_in_training_alone(need_weights: bool) -> None:
    module = attention(dropout=0.5, batch_first=True)
    explicit = ExplicitAttention(module)
    x = random(N, L, WIDTH)
    torch.testing.assert_close(explicit(x, x, x)[0], module(x, x, x)[0])
    explicit.train()
    first, second = (explicit(x, x, x, need_weights=need_weights)[0] for _ in range(2))
    assert not torch.equal(first, second)
    weights = torch.stack([explicit(x, x, x, average_attn_weights=False)[1] for _ in range(200)])
    dropped = (weights == 0).double().mean()
    assert float(dropped) == pytest.approx(0.5, abs=4.5 * 0.5 / weights.numel() ** 0.5)


@pytest.mark.parametrize(
    "choices",
    [{}, {"bias": False}, {"batch_first": True, "dropout": 0.25}, {"kdim": 6}, {"vdim": 10, "bias": False}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("training", [True, False])
def test_packing_gives_the_module_back_bit_for_bit(choices: dict[str, Any], training: bool) -> None:
    module = attention(**choices).train(training)
    again = ExplicitAttention(module).packed()
    assert type(again) is nn.MultiheadAttention
    assert list(again.state_dict()) == list(module.state_dict())
    for name, tensor in module.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)
    for name in ("embed_dim", "num_heads", "dropout", "batch_first", "kdim", "vdim", "training"):
        assert getattr(again, name) == getattr(module, name)


def test_packing_takes_the_current_weights_and_shares_none() -> None:
    module = attention()
    explicit = ExplicitAttention(module)
    before = copy.deepcopy(module.state_dict())
    for parameter in explicit.parameters():
        nn.init.normal_(parameter)
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())
    x = random(L, N, WIDTH)
    close(explicit.packed()(x, x, x)[0], explicit(x, x, x)[0])


@pytest.mark.parametrize(
    "frozen", [[], ["in_proj_weight"], ["out_proj.bias", "in_proj_bias"], ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]],
    ids=str,
)  # fmt: skip
def test_what_is_frozen_stays_frozen(frozen: list[str]) -> None:
    module = attention()
    for name in frozen:
        module.get_parameter(name).requires_grad_(False)
    with torch.no_grad():  # does not freeze the rest
        explicit = ExplicitAttention(module)
        again = explicit.packed()
    assert [n for n, p in again.named_parameters() if not p.requires_grad] == [
        n for n, _ in module.named_parameters() if n in frozen
    ]
    assert explicit.q.weight.requires_grad == ("in_proj_weight" not in frozen)
    assert explicit.out.bias.requires_grad == ("out_proj.bias" not in frozen)


@pytest.mark.parametrize("choices", [{"add_bias_kv": True}, {"add_zero_attn": True}])
def test_attention_that_cannot_be_rewritten_is_an_error(choices: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="add_bias_kv or add_zero_attn"):
        ExplicitAttention(attention(**choices))


def test_one_module_under_two_names_stays_one() -> None:
    model = nn.Module()
    model.first = model.second = attention()
    make_attention_explicit(model)
    assert isinstance(model.first, ExplicitAttention)
    assert model.second is model.first
    pack_attention(model)
    assert isinstance(model.first, nn.MultiheadAttention)
    assert model.second is model.first


class Vit(nn.Module):
    """Tokens, a block and a classifier."""

    def __init__(self, block: nn.Module, **arguments: Any) -> None:
        super().__init__()
        self.first, self.block, self.last = nn.Linear(6, 16), block, nn.Linear(16, 3)
        self.arguments = arguments

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.last(self.block(self.first(x), **self.arguments).mean(1))
        return z


def encoder_layer(**choices: Any) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(16, 2, 24, batch_first=True, **choices)


BLOCKS: dict[str, Any] = {
    "torchvision": lambda: EncoderBlock(2, 16, 24, 0.1, 0.1),
    "post norm": lambda: encoder_layer(),
    "pre norm": lambda: encoder_layer(norm_first=True, activation="gelu"),
    "without bias": lambda: encoder_layer(bias=False),
    "encoder": lambda: nn.TransformerEncoder(encoder_layer(), 2),
}


def vit(kind: str, **arguments: Any) -> Vit:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Vit(BLOCKS[kind](), **arguments)


def outputs(model: nn.Module, x: Tensor) -> Tensor:
    """With the same dropout each time."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        output: Tensor = model(x)
    return output


def without_dropout(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, nn.MultiheadAttention | ExplicitAttention):
            module.dropout = 0.0


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("grad", [True, False])
def test_blocks_are_injected_run_and_restored(kind: str, training: bool, grad: bool) -> None:
    """Without gradients and in eval mode torch runs fused kernels, unless something is injected."""
    model = vit(kind).train(training)
    x = torch.randn(20, 5, 6, generator=draws())
    noisy = inject(model, SPEC, x[:2])
    blocks = 2 if kind == "encoder" else 1
    assert len(list(noisy_layers(noisy))) == 6 * blocks
    fit(noisy, x)
    assert all(m.training == training for m in noisy.modules())
    plain = remove(noisy)
    state = model.state_dict()
    assert list(plain.state_dict()) == list(state)
    assert all(torch.equal(state[name], tensor) for name, tensor in plain.state_dict().items())
    with torch.set_grad_enabled(grad):
        expected = outputs(model, x)
        assert torch.equal(outputs(plain, x), expected)
        injected = outputs(noisy, x)
        assert injected.isfinite().all()
        assert (injected - expected).abs().max() > 1e-3
        set_path(noisy, "exact")  # dropout falls on other neurons, as the layout differs
        for network in (model, noisy):
            without_dropout(network)
        torch.testing.assert_close(outputs(noisy, x), outputs(model, x), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", BLOCKS)
def test_every_injected_layer_of_a_block_gets_a_gradient(kind: str) -> None:
    noisy = inject(vit(kind).train(), SPEC, torch.zeros(2, 5, 6))
    x = torch.randn(20, 5, 6, generator=draws())
    fit(noisy, x)
    noisy(x).square().sum().backward()
    for name, parameter in noisy.named_parameters():
        assert parameter.grad is not None, name
        if name.endswith("W_tilde"):
            assert parameter.grad.count_nonzero(), name


@pytest.mark.parametrize("pattern", ["*linear1", "*linear2", "*.q", "*.out", "*self_attn*"])
def test_a_block_that_is_injected_in_part_uses_what_is_injected(pattern: str) -> None:
    """A fused kernel would read the weights of the plain layers and call none of the others."""
    model = vit("post norm").eval()
    x = torch.randn(20, 5, 6, generator=draws())
    noisy = inject(
        model, InjectionSpec(TopK(0.3), Sparse(0.3), layers=(pattern,), min_inputs=1), x[:2]
    )
    fit(noisy, x)
    called: list[str] = []
    for name, layer in noisy_layers(noisy):
        layer.register_forward_hook(lambda *_, name=name: called.append(name))
    with torch.no_grad():
        hooked = noisy(x)
    assert called == [name for name, _ in noisy_layers(noisy)]
    plain = copy.deepcopy(noisy)
    for module in plain.modules():
        module._forward_hooks.clear()
    with torch.no_grad():
        torch.testing.assert_close(plain(x), hooked, rtol=0, atol=1e-6)
        assert (hooked - model(x)).abs().max() > 1e-3
        assert torch.equal(remove(plain)(x), model(x))


def test_attention_that_is_not_injected_is_as_it_was() -> None:
    model = vit("torchvision").eval()
    noisy = inject(model, InjectionSpec(TopK(0.5), Sparse(0.5), layers=("*mlp*",), min_inputs=1),
                   torch.zeros(2, 5, 6))  # fmt: skip
    assert type(noisy.block.self_attention) is nn.MultiheadAttention
    assert [name for name, _ in noisy_layers(noisy)] == ["block.mlp.0", "block.mlp.3"]


@pytest.mark.parametrize("grad", [True, False])
def test_an_encoder_with_padded_tokens_runs(grad: bool) -> None:
    """In eval mode torch makes nested tensors of them, from the packed weights."""
    padding = torch.zeros(6, 5, dtype=torch.bool)
    padding[:, 3:] = True
    model = vit("encoder", src_key_padding_mask=padding).eval()
    x = torch.randn(6, 5, 6, generator=draws())
    noisy = inject(vit("encoder").eval(), SPEC, x)
    noisy.arguments = model.arguments
    set_path(noisy, "exact")
    with torch.set_grad_enabled(grad):
        tokens = [m.block(m.first(x), **m.arguments) for m in (model, noisy)]
    torch.testing.assert_close(tokens[1][:, :3], tokens[0][:, :3], rtol=0, atol=1e-5)
    set_path(noisy, "injected")
    assert noisy(x).isfinite().all()


def test_samples_in_another_dimension_are_an_error() -> None:
    """(L, N, C): a mask over the first dimension's slices would mix the samples."""

    class Swapped(Vit):
        def forward(self, x: Tensor) -> Tensor:
            z: Tensor = self.last(self.block(self.first(x).transpose(0, 1)).mean(0))
            return z

    model = Swapped(nn.TransformerEncoderLayer(16, 2, 24)).eval()
    for example in (torch.zeros(2, 5, 6), torch.zeros(5, 5, 6), torch.zeros(1, 1, 6)):
        with pytest.raises(
            UserError, match=r"layer block.linear1 does not have the samples in the first"
        ):
            inject(model, SPEC, example)
    spec = InjectionSpec(TopK(0.5), Sparse(0.5), layers=("!block.linear*",), min_inputs=1)
    noisy = inject(model, spec, torch.zeros(2, 5, 6))
    for _, layer in noisy_layers(noisy):
        nn.init.normal_(layer.W_tilde, generator=draws())
    x = torch.randn(4, 5, 6, generator=draws())
    others = torch.cat([x[:1], 9 * x[1:]])
    torch.testing.assert_close(noisy(others)[0], noisy(x)[0], rtol=1e-5, atol=1e-6)
    assert [name for name, _ in noisy_layers(noisy)] == [
        f"block.self_attn.{n}" for n in ("q", "k", "v", "out")
    ]


@pytest.mark.parametrize("injected", ["all", "mlp", "none"])
def test_the_description_holds_the_layers_of_attention(injected: str) -> None:
    """Whether packed or not: it never calls out_proj."""
    model: nn.Module = vit("torchvision").eval()
    x = torch.randn(4, 5, 6, generator=draws())
    patterns = {"all": (), "mlp": ("*mlp*",)}
    if injected != "none":
        spec = InjectionSpec(TopK(0.5), Sparse(0.5), layers=patterns[injected], min_inputs=1)
        model = inject(model, spec, x[:1])
    attending = model.block.self_attention  # type: ignore[union-attr]
    layers = describe(model, x, name="vit")["layers"]
    names = [
        "first",
        *(f"block.self_attention.{n}" for n in ("q", "k", "v", "matmul", "matmul#2", "out")),
        "block.mlp.0",
        "block.mlp.3",
        "last",
    ]
    assert [layer["name"] for layer in layers] == names
    tokens = layers[4]["out_size"][1]
    heads = model.block.self_attention.num_heads  # type: ignore[union-attr]
    widths = [16, 16, 16, 16, heads * tokens, 16, 16, 24, 16, 3]
    assert [layer["out_channels"] for layer in layers] == widths
    noisy = [layer["name"] for layer in layers if layer["injection"]]
    linear = [name for name in names[1:-1] if "matmul" not in name]
    assert noisy == {"all": linear, "mlp": names[7:9], "none": []}[injected]
    assert model.block.self_attention is attending  # type: ignore[union-attr]
