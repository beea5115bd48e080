"""Block-wise reconstruction: what a block of layers gives, not what each of them gives."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from nenni.method.fitting.descent import adam
from nenni.method.injection import noisy_layers
from nenni.networks.asking import answer
from nenni.networks.hooks import hooked
from nenni.networks.modes import evaluating


def reconstruct(
    noisy: nn.Module,
    exact: nn.Module,
    images: Tensor,
    *,
    epochs: int,
    lr: float,
    batch_size: int,
    seed: int,
    progress: Callable[[str], None],
) -> None:
    """Adam on W~ and b~ of each block towards what it gives in the exact network, in order.

    A block gets its inputs behind the injected ones before it. Its error is relative, and all
    roundings and masks are in it; gradients go straight through them. After BRECQ (Li et al., ICLR
    2021), with plain squares in place of the Fisher information.

    Parameters
    ----------
    noisy, exact : Module
        The injected network, fitted, and the plain one whose modules have the same names.
    images : Tensor
        (N, C, H, W). What one block takes and gives for all of them is kept.
    epochs, lr, batch_size, seed
        As of :func:`nenni.fit`.
    progress : callable
        Receives a line per block.
    """
    draws = torch.Generator().manual_seed(seed)
    found = list(blocks(noisy, images[:1]))
    with evaluating(noisy), evaluating(exact):
        for name in found:
            block = noisy.get_submodule(name)
            inputs = _passing(noisy, name, images, batch_size)[0]
            targets = _passing(exact, name, images, batch_size)[1]
            layers = [layer for _, layer in noisy_layers(block)]
            steps = epochs * -(-len(images) // batch_size)
            optimiser, schedule = adam(layers, lr, steps)
            for _ in range(epochs):
                order = torch.randperm(len(images), generator=draws)
                errors = []
                for chosen in order.to(images.device).split(batch_size):
                    with torch.enable_grad():
                        squared = (block(inputs[chosen]) - targets[chosen]).square().mean()
                        error = squared / targets[chosen].square().mean().clamp_min(1e-12)
                        optimiser.zero_grad()
                        error.backward()
                    optimiser.step()
                    schedule.step()
                    errors.append(error.detach())
            error = torch.stack(errors).mean()
            progress(f"block {name or 'network'}: relative squared error {error:.4f}")
            noisy.zero_grad()


def blocks(noisy: nn.Module, image: Tensor) -> Iterator[str]:
    """Names of the smallest modules that hold two injected layers or more, in the order of calls.

    Left out is what is called more than once in a pass, or does not take and give one tensor with
    one row for each image.
    """
    modules = dict(noisy.named_modules())
    holding = [n for n, module in modules.items() if len(list(noisy_layers(module))) > 1]
    smallest = [n for n in holding if not any(m != n and _within(m, n) for m in holding)]
    calls: dict[str, list[bool]] = {}

    def hook_for(name: str) -> Callable[[nn.Module, tuple[object, ...], object], None]:
        return lambda _, inputs, output: calls.setdefault(name, []).append(
            len(inputs) == 1
            and all(isinstance(x, Tensor) and len(x) == len(image) for x in (inputs[0], output))
        )

    handles = [noisy.get_submodule(n).register_forward_hook(hook_for(n)) for n in smallest]
    with hooked(handles), evaluating(noisy), torch.no_grad():
        answer(noisy, image)
    return (name for name, plain in calls.items() if plain == [True])


def _within(name: str, other: str) -> bool:
    return name.startswith(f"{other}." if other else "")


@torch.no_grad()
def _passing(
    network: nn.Module, name: str, images: Tensor, batch_size: int
) -> tuple[Tensor, Tensor]:
    """What a module takes and gives for all images."""
    taken: list[Tensor] = []
    given: list[Tensor] = []
    module = network.get_submodule(name)

    def note(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        taken.append(inputs[0].clone())
        given.append(output.clone())

    with hooked([module.register_forward_hook(note)]):
        for batch in images.split(batch_size):
            answer(network, batch)
    return torch.cat(taken), torch.cat(given)
