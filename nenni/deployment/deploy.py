"""A network for inference, made from an injected one."""

import warnings
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.fx.passes.shape_prop import ShapeProp

from nenni.core.errors import UserError
from nenni.data.batches import Data, device_of, image_batches
from nenni.deployment import choosing
from nenni.deployment.choosing import Measured
from nenni.deployment.compiled import AMX, TORCH, TRITON, kernels
from nenni.deployment.folding import check
from nenni.deployment.program import Step, program, run
from nenni.deployment.simulation import simulation
from nenni.method.injection import noisy_layers

FASTER, EVERYWHERE, NOWHERE = "where faster", "everywhere", "nowhere"
"""Which injected layers skip tiles."""
_BATCH = 64
"""Images of the example, of tensors and data sets."""


class Deployed(nn.Module):
    """A network whose layers multiply bytes and skip tiles; it has no gradient.

    Attributes
    ----------
    simulation : GraphModule
        The same network in torch's own numbers, with all roundings, to evaluate and to attack.
    times : dict
        Injected layer -> what was measured. The second call of a layer ``c`` is ``c:2``.
    kernel : str
        What computes it, see :func:`nenni.deployment.compiled.kernels`.
    """

    def __init__(
        self, simulated: GraphModule, times: dict[str, Measured], kernel: str, size: torch.Size
    ) -> None:
        super().__init__()
        self.simulation, self.times, self.kernel = simulated, times, kernel
        self._size, self._device = size, device_of(simulated)
        self._program = program(simulated, kernel)
        self.eval()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Of a copy: its program is that of its own simulation, by the kernels that are here."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        there = kernels(self._device)
        if self.kernel not in there:
            other = next(kernel for kernel in there if kernel != AMX)
            warnings.warn(
                f"the network was deployed by the kernel {self.kernel}, which is not here: "
                f"{other} takes its place; deploy it here for the layers that are faster here",
                stacklevel=2,
            )
            self.kernel = other
        images = torch.zeros(2, *self._size, device=self._device)
        ShapeProp(self.simulation).propagate(images)  # which a file does not keep
        self._program = program(self.simulation, self.kernel)

    def __getstate__(self) -> dict[str, Any]:
        """All but the program, which is of this simulation."""
        state: dict[str, Any] = super().__getstate__()  # type: ignore[no-untyped-call]
        return {name: value for name, value in state.items() if name != "_program"}

    @property
    def steps(self) -> list[Step]:
        """What it does, in order."""
        return self._program.steps

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Take weights, also into the bytes of the steps."""
        found = super().load_state_dict(*args, **kwargs)
        self._program = program(self.simulation, self.kernel)
        return found

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        for tensor in self.state_dict().values():
            changed = fn(tensor)
            if changed.dtype != tensor.dtype or changed.device != tensor.device:
                raise UserError(
                    f"a deployed network stays {tensor.dtype} on {tensor.device}: convert or move "
                    "the injected one, and deploy that"
                )
        return self

    def train(self, mode: bool = True) -> Self:
        """Stay in eval mode, whatever is asked for: nothing here can be trained."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Logits of images (N, C, H, W) of the size that it was made for.

        Raises
        ------
        UserError
            For images of another size or type, or on another device.
        """
        if not isinstance(x, Tensor) or x.dtype != torch.float32:
            kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
            raise UserError(f"images should be a tensor of float32 in [0, 1], got {kind}")
        if x.device != self._device:
            raise UserError(
                f"the network was deployed on {self._device}, and the images are on {x.device}: "
                "move them, or deploy it there"
            )
        if x.shape[1:] != self._size:
            raise UserError(
                f"the network was deployed for images of shape {tuple(self._size)}, and got "
                f"{tuple(x.shape[1:])}: deploy it with an example of that shape"
            )
        logits: Tensor = run(self._program, x)
        return logits


def deploy(
    noisy: nn.Module,
    example: Data,
    *,
    choices: str | Path | None = None,
    skip: str = FASTER,
    kernel: str | None = None,
) -> Deployed:
    """Make a network for inference from an injected one.

    Injected convolutions, ungrouped and padded by zeros, skip tiles or compute all neurons; other
    injected layers compute both of their paths, as before.

    Parameters
    ----------
    noisy : Module
        Injected with :class:`nenni.Block`, :class:`nenni.TapShared`, an exact path of 8 bits and an
        approximation of 8 or fewer, and fitted. It is not changed.
    example : tensors, loader or data set
        Images that set the steps of the roundings, and on which layers are timed; the first batch
        is taken, see :data:`nenni.data.batches.Data`.
    choices : path, optional
        File of what was measured. Where it exists it is read, so that the same layers skip again,
        with a warning where processor, threads, kernel, batch or the layers are others; where not
        it is written. Of no use where `skip` says which layers do.
    skip : "where faster", "everywhere" or "nowhere"
        Which injected layers skip: those that are faster so alone, or by the kernels in C++ all or
        none where the whole network is.
    kernel : str, optional
        One of :func:`nenni.deployment.compiled.kernels`. Where nobody says, that of ``choices`` or
        the fastest.

    Raises
    ------
    UserError
        If the network is not injected, not float32 on one device, cannot be traced, or makes
        choices that no kernel has; or on a GPU without Triton.
    """
    found = dict(noisy_layers(noisy)) if isinstance(noisy, nn.Module) else {}
    if not found:
        raise UserError("the network has no injected layers: nenni.inject and nenni.fit it first")
    for name, layer in found.items():
        check(layer, name)
    device = device_of(noisy)
    for name, tensor in noisy.state_dict().items():
        known = tensor.device.type in ("cpu", "cuda")
        if not known or tensor.dtype not in (torch.float32, torch.int64):
            raise UserError(
                f"{name} is {tensor.dtype} on {tensor.device}; a network is deployed on a CPU or a "
                "GPU, from float32: noisy.cpu().float()"
            )
        if tensor.device != device:
            raise UserError(
                f"{name} is on {tensor.device} and others are on {device}; a network is deployed "
                "where it is as a whole: noisy.cpu()"
            )
    there = kernels(device)
    if kernel is not None and kernel not in there:
        raise UserError(f"kernel should be one of {', '.join(there)}, got {kernel!r}")
    if skip not in (FASTER, EVERYWHERE, NOWHERE):
        raise UserError(f"skip should be {FASTER}, {EVERYWHERE} or {NOWHERE}, got {skip!r}")
    file = None if choices is None else Path(choices)
    images = next(image_batches(example, _BATCH, noisy))
    network = cache(partial(simulation, noisy, images))
    simulated, times, left = network(()), dict[str, Measured](), tuple[str, ...]()
    chosen = kernel or _kernel(simulated, images, there, file)
    if skip == NOWHERE:
        left = tuple(name for name, _ in noisy_layers(simulated))
    if skip == FASTER:
        times = _times(network, images, chosen, file)
        left = tuple(name for name, measured in times.items() if not measured.skips)
    return Deployed(network(left), times, chosen, images.shape[1:])


def _kernel(
    simulated: GraphModule, images: Tensor, there: Sequence[str], choices: Path | None
) -> str:
    if choices is not None and choices.exists():
        kept = choosing.kept_kernel(choices)
        if kept is not None and kept in there:
            return kept
    return choosing.fastest_kernel(simulated, images, there)


def _times(
    network: Callable[[tuple[str, ...]], GraphModule],
    images: Tensor,
    kernel: str,
    choices: Path | None,
) -> dict[str, Measured]:
    simulated = network(())
    layers = choosing.described(simulated, kernel)
    if choices is not None and choices.exists():
        return choosing.read(choices, layers, kernel, len(images))
    times = choosing.measure(simulated, images, kernel)
    if kernel not in (TORCH, TRITON):
        times = choosing.in_a_network(times, network, images, kernel)
    if choices is not None:
        choosing.write(choices, layers, times, kernel, len(images))
    return times
