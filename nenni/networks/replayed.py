"""Passes of a network on a GPU by CUDA graphs: one launch in place of some hundred.

A small network's pass takes a GPU less time than a program takes to ask for its operations one by
one. A CUDA graph holds them all, with their memory, and is launched as a whole.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import ReferenceType, ref

import torch
from torch import Tensor, nn

from nenni.core.errors import in_a_line

_EAGER_PASSES = 2
"""Passes of a kind before it is captured: libraries choose their algorithms, compilers compile."""
_KINDS = 12
"""Kinds of passes that are captured, each with memory of its own; others stay as they are."""
_KNOWN = ("torch", "torchvision", "nenni")
"""Packages whose modules do the same in each pass, as far as it depends on Python."""


@contextmanager
def replayed(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Within, the passes of a network on a GPU are captured once for each kind, and then replayed.

    The same kernels do the same, bit by bit. What Python decides is decided once, so that networks
    with modules of other packages than torch, torchvision and this one, or with hooks, stay as they
    are, and so does what cannot be captured. Weights may change in place, which is what optimisers
    do.

    Parameters
    ----------
    model : Module
        Changed in place within; what compiles it comes first.
    device : torch.device
        Where it is.
    """
    if device.type != "cuda" or not _same_each_time(model):
        yield
        return
    before = model._compiled_call_impl
    model._compiled_call_impl = _Replayed(model, before or model._call_impl)
    try:
        yield
    finally:
        model._compiled_call_impl = before


def _same_each_time(model: nn.Module) -> bool:
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return all(
        type(m).__module__.partition(".")[0] in _KNOWN and not any(getattr(m, h) for h in hooks)
        for m in model.modules()
    )


class _Replayed:
    """What is called in the place of a network: captures each kind of pass, and replays it."""

    def __init__(self, model: nn.Module, call: Callable[..., Any]) -> None:
        self.model, self.call = model, call
        self.modules, self.parameters = [*model.modules()], [*model.parameters()]
        self.with_path = [m for m in self.modules if "path" in vars(m)]
        self.seen: dict[Any, int] = {}
        self.captured: dict[Any, _Pass] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) != 1 or kwargs or not isinstance(args[0], Tensor) or not args[0].is_cuda:
            return self.call(*args, **kwargs)
        (x,) = args
        kind = self._kind(x)
        seen = self.seen[kind] = self.seen.get(kind, 0) + 1
        if seen > _EAGER_PASSES and kind not in self.captured and len(self.captured) < _KINDS:
            self._capture(kind, x)
        captured = self.captured.get(kind)
        if captured is None or captured.busy or not captured.fits():
            return self.call(x)
        return captured(x)

    def _kind(self, x: Tensor) -> Any:
        """Everything on which the operations of a pass depend, apart from numbers."""
        learns = tuple(p.requires_grad for p in self.parameters)
        paths = tuple(m.path for m in self.with_path)
        half = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else None
        grad = torch.is_grad_enabled() and (x.requires_grad or any(learns))
        modes = tuple(m.training for m in self.modules)
        return x.shape, x.stride(), x.dtype, x.requires_grad, grad, learns, paths, modes, half

    def _capture(self, kind: Any, x: Tensor) -> None:
        buffers = [(b, b.clone()) for b in self.model.buffers()]
        draws = torch.cuda.default_generators[x.device.index]
        state = draws.get_state()
        try:
            self.captured[kind] = _Pass(self.call, x, self.parameters)
        except Exception as error:
            self.seen[kind] = -(2**62)  # not tried again
            warnings.warn(f"a pass was not captured: {in_a_line(error)}", stacklevel=3)
            draws.graphsafe_set_state(torch.Generator(x.device).graphsafe_get_state())
        draws.set_state(state)
        for buffer, value in buffers:
            buffer.detach().copy_(value)


class _Pass:
    """The graphs of one kind of pass, forward and backward, and the memory that they work in."""

    def __init__(self, call: Callable[..., Any], x: Tensor, parameters: list[nn.Parameter]) -> None:
        self.pointers = [p.data_ptr() for p in parameters]
        self.parameters = parameters
        learning = [p for p in parameters if p.requires_grad]
        self.x = x.detach().clone().requires_grad_(x.requires_grad)
        self.inputs: list[Tensor] = []
        self.forward, self.backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        cached = torch.is_autocast_cache_enabled()
        torch.set_autocast_cache_enabled(False)
        try:
            _go_through(call, self.x, learning)
            with torch.cuda.graph(self.forward, capture_error_mode="thread_local"):
                out = call(self.x)
            if not isinstance(out, Tensor):
                raise TypeError("its result is not one tensor")
            if out.requires_grad:
                self.inputs = [*([self.x] if x.requires_grad else []), *learning]
                self.gradient = torch.empty_like(out)
                pool = self.forward.pool()
                with torch.cuda.graph(self.backward, pool, capture_error_mode="thread_local"):
                    self.gradients = torch.autograd.grad(
                        out, self.inputs, self.gradient, allow_unused=True
                    )
            self.out = out.detach()  # its graph would keep nodes of the stream of the capture
        finally:
            torch.set_autocast_cache_enabled(cached)
        self.waits: ReferenceType[_Ticket] | None = None

    @property
    def busy(self) -> bool:
        """Whether the backward pass of the last forward pass may still come."""
        return self.waits is not None and self.waits() is not None

    def fits(self) -> bool:
        """Whether weights are where they were, and no gradient stands in the graph's own memory."""
        return all(p.grad is None for p in self.parameters) and self.pointers == [
            p.data_ptr() for p in self.parameters
        ]

    def __call__(self, x: Tensor) -> Tensor:
        if not self.inputs:
            self.x.copy_(x)
            self.forward.replay()
            return self.out.clone()
        ticket = _Ticket()
        self.waits = ref(ticket)
        learning = self.inputs[1:] if self.x.requires_grad else self.inputs
        replayed: Tensor = _Replay.apply(self, ticket, x, *learning)
        return replayed


def _go_through(call: Callable[..., Any], x: Tensor, learning: list[nn.Parameter]) -> None:
    """A pass and its gradients, for which libraries load what they may not load in a capture."""
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        out = call(x)
        if isinstance(out, Tensor) and out.requires_grad:
            inputs = [*([x] if x.requires_grad else []), *learning]
            torch.autograd.grad(out, inputs, torch.zeros_like(out), allow_unused=True)
    torch.cuda.current_stream().wait_stream(beside)


class _Ticket:
    """Lives as long as the backward pass of a forward pass may come."""


class _Replay(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, captured: _Pass, ticket: _Ticket, x: Tensor, *learning: Tensor) -> Tensor:
        ctx.captured, ctx.ticket = captured, ticket
        captured.x.detach().copy_(x)
        captured.forward.replay()
        return captured.out.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        captured, ctx.ticket = ctx.captured, None
        captured.gradient.copy_(gradients[0])
        captured.backward.replay()
        found = [None if g is None else g.detach() for g in captured.gradients]
        if captured.x.requires_grad:
            to_x = found.pop(0)
            return None, None, None if to_x is None else to_x.clone(), *found
        return None, None, None, *found
