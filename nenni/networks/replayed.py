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
_KINDS = 6
"""Kinds of passes that are captured, each with memory of its own; others stay as they are."""
_KNOWN = ("torch.nn.", "torchvision.models.", "torchvision.ops.", "nenni.")
"""Where modules do the same in each pass, as far as it depends on Python."""
_HOOKS = (
    "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks",
)  # fmt: skip
_GLOBAL_HOOKS = tuple(f"_global{name}" for name in _HOOKS)


@contextmanager
def replayed(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Within, the passes of a network on a GPU are captured once for each kind, and then replayed.

    The same kernels do the same, bit by bit. What Python decides is decided once, so that networks
    with other modules than those of ``torch.nn``, torchvision's models and this package, or with
    hooks, stay as they are, and so does what waits for a value of a tensor or cannot be captured.
    Weights may change in place, which is what optimisers do. A gradient is not differentiated.

    Parameters
    ----------
    model : Module
        Changed in place within; what compiles it comes first.
    device : torch.device
        Where it is.
    """
    if device.type != "cuda" or not all(map(_same_each_time, model.modules())):
        yield
        return
    before = model._compiled_call_impl
    model._compiled_call_impl = _Replayed(model, before or model._call_impl)
    try:
        yield
    finally:
        model._compiled_call_impl = before


def _on_a_gpu(x: Tensor) -> bool:
    return x.is_cuda


def _generator(device: torch.device) -> torch.Generator:
    return torch.cuda.default_generators[device.index]


def _same_each_time(module: nn.Module) -> bool:
    kind = type(module)
    known = f"{kind.__module__}.{kind.__name__}".startswith(_KNOWN)
    reseeds = getattr(kind, "reseeds", False)  # which a graph cannot hold
    return known and not reseeds and "forward" not in vars(module)


class _Replayed:
    """What is called in the place of a network: captures each kind of pass, and replays it."""

    def __init__(self, model: nn.Module, call: Callable[..., Any]) -> None:
        self.call = call
        self.modules, self.parameters = [*model.modules()], [*model.parameters()]
        self.buffers = [*model.buffers()]
        self.with_path = [m for m in self.modules if "path" in vars(m)]
        self.seen: dict[Any, int] = {}
        self.captured: dict[Any, _Pass] = {}
        self.fails = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        alone = len(args) == 1 and not kwargs and isinstance(args[0], Tensor)
        if not alone or not _on_a_gpu(args[0]) or self.fails or self._hooked():
            return self.call(*args, **kwargs)
        (x,) = args
        kind = self._kind(x)
        seen = self.seen[kind] = self.seen.get(kind, 0) + 1
        if seen > _EAGER_PASSES and kind not in self.captured and len(self.captured) < _KINDS:
            self._capture(kind, x)
        captured = self.captured.get(kind)
        if captured is not None and not captured.busy and captured.fits():
            return captured(x)
        try:
            return self.call(x)
        except torch.cuda.OutOfMemoryError:
            if not self.captured:
                raise
            self._give_up("the memory of its graphs is needed")
            return self.call(x)

    def _hooked(self) -> bool:
        """Whether somebody looks on, or changes what a module gives."""
        everywhere = (getattr(nn.modules.module, name) for name in _GLOBAL_HOOKS)
        of_modules = (getattr(m, name) for m in self.modules for name in _HOOKS)
        of_parameters = (p._backward_hooks for p in self.parameters)
        return any(everywhere) or any(of_modules) or any(of_parameters)

    def _kind(self, x: Tensor) -> Any:
        """Everything on which the operations of a pass depend, apart from numbers."""
        learns = tuple(p.requires_grad for p in self.parameters)
        paths = tuple((m.path, getattr(m, "temperature", None)) for m in self.with_path)
        half = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else None
        grad = torch.is_grad_enabled() and (x.requires_grad or any(learns))
        modes = tuple(m.training for m in self.modules), torch.is_inference_mode_enabled()
        return x.shape, x.stride(), x.dtype, x.requires_grad, grad, learns, paths, modes, half

    def _capture(self, kind: Any, x: Tensor) -> None:
        """Capture a kind of pass, which changes neither buffers nor what is drawn afterwards."""
        before = [(buffer, buffer.clone()) for buffer in self.buffers]
        draws, stream = _generator(x.device), torch.cuda.current_stream()
        state = draws.get_state()
        try:
            with _other_leaves(self.modules) as learning:
                self.captured[kind] = _Pass(self.call, x, self.parameters, self.buffers, learning)
        except Exception as error:
            torch.cuda.set_stream(stream)
            draws.graphsafe_set_state(torch.Generator(x.device).graphsafe_get_state())
            self._give_up(in_a_line(error))
        draws.set_state(state)
        for buffer, value in before:
            buffer.data.copy_(value)

    def _give_up(self, why: str) -> None:
        self.captured.clear()
        self.fails = True
        warnings.warn(f"passes are no longer captured as CUDA graphs: {why}", stacklevel=4)


class _Pass:
    """The graphs of one kind of pass, forward and backward, and the memory that they work in."""

    def __init__(
        self,
        call: Callable[..., Any],
        x: Tensor,
        parameters: list[nn.Parameter],
        buffers: list[Tensor],
        leaves: dict[nn.Parameter, nn.Parameter],
    ) -> None:
        self.constant = [*parameters, *buffers]
        self.places = [tensor.data_ptr() for tensor in self.constant]
        self.learning = [p for p in parameters if p.requires_grad]
        learning = [leaves[p] for p in self.learning]
        self.x = x.detach().clone().requires_grad_(x.requires_grad)
        self.inputs: list[Tensor] = []
        self.forward, self.backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        self.number = 0
        self.waits: ReferenceType[_Ticket] | None = None
        cached = torch.is_autocast_cache_enabled()
        torch.set_autocast_cache_enabled(False)
        try:
            call(self.x)  # compiles anew for other parameters, where it compiles
            _go_through(call, self.x, learning)
            with torch.cuda.graph(self.forward, capture_error_mode="thread_local"):
                out: Tensor = call(self.x)
            if out.requires_grad:
                self.inputs = [*([self.x] if x.requires_grad else []), *learning]
                self.gradient = torch.empty_like(out)
                pool = self.forward.pool()
                with torch.cuda.graph(self.backward, pool, capture_error_mode="thread_local"):
                    self.gradients = torch.autograd.grad(
                        out, self.inputs, self.gradient, allow_unused=True,
                        retain_graph=True,  # or a second replay would find its memory reused
                    )  # fmt: skip
            self.out = out.detach()  # its graph would keep nodes of the stream of the capture
        finally:
            torch.set_autocast_cache_enabled(cached)

    @property
    def busy(self) -> bool:
        """Whether a backward pass of the last forward pass may still come."""
        return self.waits is not None and self.waits() is not None

    def fits(self) -> bool:
        """Whether weights are where they were, and no gradient stands in the graph's own memory."""
        return all(p.grad is None for p in self.learning) and self.places == [
            tensor.data_ptr() for tensor in self.constant
        ]

    def __call__(self, x: Tensor) -> Tensor:
        self.number += 1
        if not self.inputs:
            self.x.copy_(x)
            self.forward.replay()
            return self.out.clone()
        ticket = _Ticket()
        self.waits = ref(ticket)
        replayed: Tensor = _Replay.apply(self, ticket, x, *self.learning)
        return replayed


@contextmanager
def _other_leaves(modules: list[nn.Module]) -> Iterator[dict[nn.Parameter, nn.Parameter]]:
    """Within, modules have other parameters in the same memory: gives them by those in whose place.

    Where an earlier pass still waits for its backward pass, torch adds up the gradient of a
    parameter on the stream of that pass, which no capture may.
    """
    others: dict[nn.Parameter, nn.Parameter] = {}
    places = [(m, name, p) for m in modules for name, p in m._parameters.items() if p is not None]
    try:
        for module, name, parameter in places:
            if parameter not in others:
                others[parameter] = nn.Parameter(parameter.detach(), parameter.requires_grad)
            setattr(module, name, others[parameter])
        yield others
    finally:
        for module, name, parameter in places:
            setattr(module, name, parameter)


def _go_through(call: Callable[..., Any], x: Tensor, learning: list[nn.Parameter]) -> None:
    """A pass and its gradients, for which libraries load what they may not load in a capture.

    Raises
    ------
    RuntimeError
        If it waits for a value of a tensor, which no capture may.
    TypeError
        If it gives anything but one tensor.
    """
    beside, mode = torch.cuda.Stream(), torch.cuda.get_sync_debug_mode()
    beside.wait_stream(torch.cuda.current_stream())
    torch.cuda.set_sync_debug_mode("error")
    try:
        with torch.cuda.stream(beside):
            out = call(x)
            if not isinstance(out, Tensor):
                raise TypeError("its result is not one tensor")
            if out.requires_grad:
                inputs = [*([x] if x.requires_grad else []), *learning]
                torch.autograd.grad(out, inputs, torch.zeros_like(out), allow_unused=True)
    finally:
        torch.cuda.set_sync_debug_mode(mode)
    torch.cuda.current_stream().wait_stream(beside)


class _Ticket:
    """Lives as long as a backward pass of a forward pass may come."""


class _Replay(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, captured: _Pass, ticket: _Ticket, x: Tensor, *learning: Tensor) -> Tensor:
        ctx.captured, ctx.ticket, ctx.number = captured, ticket, captured.number
        captured.x.detach().copy_(x)
        captured.forward.replay()
        out: Tensor = captured.out.clone()
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        captured = ctx.captured
        if ctx.number != captured.number:
            raise RuntimeError("what a backward pass needs was overwritten by another pass")
        for parameter in captured.learning:
            if parameter.grad is not None:  # of another backward pass, in the graph's own memory
                parameter.grad = parameter.grad.clone()
        captured.gradient.copy_(gradients[0])
        captured.backward.replay()
        found = [None if g is None else g.detach() for g in captured.gradients]
        if captured.x.requires_grad:
            to_x = found.pop(0)
            return None, None, None if to_x is None else to_x.clone(), *found
        return None, None, None, *found
