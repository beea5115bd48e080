"""Multi-head attention with its linear layers as modules, which can be injected.

``nn.MultiheadAttention`` packs the projections of query, key and value into one parameter and
calls neither them nor its ``out_proj`` as modules.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni.core.errors import UserError


class ExplicitAttention(nn.Module):
    """The function of an ``nn.MultiheadAttention`` with linear layers q, k, v and out.

    Outputs agree to rounding. The products of queries, keys and values stay dense. Within, the
    first dimension is the sample's, as the injected layers expect.

    Parameters
    ----------
    packed : MultiheadAttention
        Without ``bias_k`` and ``add_zero_attn``; its weights are copied.
    """

    _qkv_same_embed_dim = False
    in_proj_bias = None
    """With these two, ``nn.TransformerEncoderLayer`` calls the module and not a fused kernel."""

    def __init__(self, packed: nn.MultiheadAttention) -> None:
        super().__init__()
        if packed.bias_k is not None or packed.add_zero_attn:
            raise UserError("attention with add_bias_kv or add_zero_attn cannot be injected")
        self.embed_dim, self.num_heads = packed.embed_dim, packed.num_heads
        self.dropout, self.batch_first = packed.dropout, packed.batch_first
        widths = (
            packed.embed_dim,
            packed.kdim or packed.embed_dim,
            packed.vdim or packed.embed_dim,
        )
        biased = packed.in_proj_bias is not None
        kind: dict[str, Any] = {
            "device": packed.out_proj.weight.device,
            "dtype": packed.out_proj.weight.dtype,
        }
        self.q, self.k, self.v = (
            nn.Linear(width, packed.embed_dim, bias=biased, **kind) for width in widths
        )
        has_bias = packed.out_proj.bias is not None
        self.out = nn.Linear(packed.embed_dim, packed.embed_dim, bias=has_bias, **kind)
        with torch.enable_grad():  # views of frozen parameters are frozen, those of others not
            parts = _unpacked(packed)
        with torch.no_grad():
            for name, tensor in parts.items():
                parameter = self.get_parameter(name)
                parameter.copy_(tensor)
                parameter.requires_grad_(tensor.requires_grad)
        self.train(packed.training)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend, with the arguments and results of ``nn.MultiheadAttention``."""
        if is_causal and attn_mask is None:
            raise UserError("is_causal is a hint about attn_mask, which is to be given too")
        batched = query.dim() == 3
        query, key, value = (self._samples_first(x, batched) for x in (query, key, value))
        q, k, v = (
            layer(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for layer, x in ((self.q, query), (self.k, key), (self.v, value))
        )
        bias = _merged_masks(attn_mask, key_padding_mask, q, self.num_heads)
        weights: Tensor | None = None
        dropout = self.dropout if self.training else 0.0
        if need_weights:
            logits = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
            weights = F.dropout((logits if bias is None else logits + bias).softmax(-1), dropout)
            heads = weights @ v
            weights = weights.mean(1) if average_attn_weights else weights
        else:
            heads = F.scaled_dot_product_attention(q, k, v, bias, dropout)
        result = self.out(heads.transpose(1, 2).flatten(-2))
        if not batched:
            return result[0], None if weights is None else weights[0]
        return (result if self.batch_first else result.transpose(0, 1)), weights

    def packed(self) -> nn.MultiheadAttention:
        """The original module again, with the current weights."""
        attention = nn.MultiheadAttention(
            self.embed_dim,
            self.num_heads,
            dropout=self.dropout,
            bias=self.q.bias is not None,
            kdim=self.k.in_features,
            vdim=self.v.in_features,
            batch_first=self.batch_first,
            device=self.out.weight.device,
            dtype=self.out.weight.dtype,
        )
        with torch.no_grad():
            for name, part in _unpacked(attention).items():
                own = self.get_parameter(name)
                part.copy_(own)
                (part if part._base is None else part._base).requires_grad_(own.requires_grad)
        return attention.train(self.training)

    def _samples_first(self, x: Tensor, batched: bool) -> Tensor:
        if not batched:
            return x[None]
        return x if self.batch_first else x.transpose(0, 1)


def make_attention_explicit(model: nn.Module) -> None:
    """Replace every ``nn.MultiheadAttention`` of a model, in place."""
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoder):
            module.use_nested_tensor = False  # reads the packed weights
    explicit: dict[nn.Module, ExplicitAttention] = {}
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if isinstance(module, nn.MultiheadAttention):
            if module not in explicit:
                explicit[module] = ExplicitAttention(module)
            model.set_submodule(name, explicit[module])


def pack_attention(model: nn.Module) -> None:
    """Undo :func:`make_attention_explicit` where all four layers are plain, in place.

    Within an ``nn.TransformerEncoderLayer`` its other linear layers have to be plain too: beside
    packed attention a fused kernel would read their weights and never call them.
    """
    packed: dict[nn.Module, nn.MultiheadAttention] = {}
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if isinstance(module, ExplicitAttention):
            layers = [module.q, module.k, module.v, module.out]
            parent = model.get_submodule(name.rpartition(".")[0])
            if isinstance(parent, nn.TransformerEncoderLayer):
                layers += [parent.linear1, parent.linear2]
            if all(type(layer) is nn.Linear for layer in layers):
                if module not in packed:
                    packed[module] = module.packed()
                model.set_submodule(name, packed[module])


def _unpacked(packed: nn.MultiheadAttention) -> dict[str, Tensor]:
    """Views of a packed module's parameters by the names of the explicit one."""
    tensors = {"out.weight": packed.out_proj.weight}
    if packed.out_proj.bias is not None:
        tensors["out.bias"] = packed.out_proj.bias
    if packed._qkv_same_embed_dim:
        parts = packed.in_proj_weight.chunk(3)
    else:
        parts = (packed.q_proj_weight, packed.k_proj_weight, packed.v_proj_weight)
    tensors |= {f"{name}.weight": part for name, part in zip("qkv", parts, strict=True)}
    if packed.in_proj_bias is not None:
        biases = packed.in_proj_bias.chunk(3)
        tensors |= {f"{name}.bias": part for name, part in zip("qkv", biases, strict=True)}
    return tensors


def _merged_masks(
    attn_mask: Tensor | None, key_padding_mask: Tensor | None, q: Tensor, heads: int
) -> Tensor | None:
    """Both masks as one number to add to the logits, or None."""
    bias: Tensor | None = None
    if attn_mask is not None:
        bias = _additive(attn_mask, q)
        if bias.dim() == 3:
            bias = bias.unflatten(0, (-1, heads))
    if key_padding_mask is not None:
        padding = _additive(key_padding_mask, q).view(len(q), 1, 1, -1)
        bias = padding if bias is None else bias + padding
    return bias


def _additive(mask: Tensor, like: Tensor) -> Tensor:
    if mask.dtype != torch.bool:
        return mask.to(like)
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill_(mask, -torch.inf)
