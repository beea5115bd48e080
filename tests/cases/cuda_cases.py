"""What a GPU refuses where results have to be the same each time, found on a CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

REFUSED = (
    "_ctc_loss_backward", "adaptive_max_pool2d_backward", "adaptive_max_pool3d_backward",
    "_adaptive_avg_pool2d_backward", "_adaptive_avg_pool3d_backward", "avg_pool3d_backward",
    "fractional_max_pool2d_backward", "fractional_max_pool3d_backward", "grid_sampler_2d_backward",
    "grid_sampler_3d_backward", "histc", "kthvalue", "max_unpool2d", "max_unpool3d", "median.dim",
    "nanmedian.dim", "nll_loss2d_forward", "put_", "reflection_pad1d_backward",
    "reflection_pad2d_backward", "reflection_pad3d_backward", "upsample_bicubic2d_backward",
    "upsample_bilinear2d_backward", "upsample_linear1d_backward", "upsample_trilinear3d_backward",
)  # fmt: skip
"""Operations without a deterministic algorithm on a GPU: torch.use_deterministic_algorithms's
documentation, and ``alertNotDeterministic`` in torch's sources."""


class _Asked(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.names.add(str(func).removeprefix("aten."))
        return func(*args, **(kwargs or {}))


@contextmanager
def nothing_refused() -> Iterator[None]:
    """Fails if anything within uses an operation that a GPU refuses."""
    with _Asked() as asked:
        yield
    refused = {
        name for name in asked.names for word in REFUSED if f"{name}.".startswith(f"{word}.")
    }
    assert not refused, f"a GPU refuses {sorted(refused)}"
