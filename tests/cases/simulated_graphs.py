"""CUDA graphs on a CPU: what runs within a capture is noted, and done again in the same memory."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nenni.networks import replayed as module


class Graph:
    """Operations with their tensors; a replay writes each result where it lay at the capture."""

    def __init__(self) -> None:
        self.noted: list[Any] = []

    def pool(self) -> None:
        """Nothing: each tensor has memory of its own."""

    @torch.no_grad()
    def replay(self) -> None:
        """Do it all again."""
        for func, args, kwargs, found in self.noted:
            again = tree_leaves(func(*args, **kwargs))
            for old, new in zip(tree_leaves(found), again, strict=True):
                if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class _Noting(TorchDispatchMode):
    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        if "detach" not in str(func):
            self.graph.noted.append((func, args, kwargs or {}, found))
        return found


@contextmanager
def _capture(graph: Graph, *_: Any, **__: Any) -> Iterator[None]:
    with _Noting(graph):
        yield


@contextmanager
def simulated() -> Iterator[None]:
    """Within, passes on a CPU are captured and replayed as on a GPU."""
    stream = SimpleNamespace(wait_stream=lambda _: None)
    replaced = {
        "CUDAGraph": Graph,
        "graph": _capture,
        "Stream": lambda: stream,
        "stream": lambda _: nullcontext(),
        "current_stream": lambda: stream,
        "set_stream": lambda _: None,
        "get_sync_debug_mode": lambda: 0,
        "set_sync_debug_mode": lambda _: None,
    }
    with (
        mock.patch.multiple(torch.cuda, **replaced),
        mock.patch.object(module, "_on_a_gpu", return_value=True),
        mock.patch.object(module, "_generator", return_value=torch.default_generator),
    ):
        yield
