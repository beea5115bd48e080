"""AutoAttack, by its authors' code."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import torch
from torch import Tensor, nn

from nenni.adversary.ball import Ball
from nenni.adversary.gradient import frozen
from nenni.adversary.judge import watched
from nenni.adversary.losses import DLR_CLASSES, TARGETED_DLR_CLASSES
from nenni.core.errors import UserError
from nenni.core.types import AutoAttackVersion, Norm, OnRandomised

__all__ = ["autoattack"]


def autoattack(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    norm: Norm = "linf",
    version: Annotated[AutoAttackVersion, OnRandomised("rand")] = "standard",
) -> Tensor:
    """APGD-CE, APGD-T, FAB-T and Square, each on what the ones before left; ``rand`` for EOT.

    Croce, Hein: Reliable evaluation of adversarial robustness with an ensemble of diverse
    parameter-free attacks, ICML 2020, through the package ``pyautoattack``. Its warnings (a
    randomised model, probabilities in place of logits, zero gradients, Square better than the
    gradients) are Python warnings here. ``rand`` drops an image after one lucky draw: judge its
    images again, as :mod:`nenni.evaluation.evaluate` does. With fewer than 4
    classes APGD-T is undefined and left out, as is APGD-DLR with fewer than 3.

    Parameters
    ----------
    model, inputs, labels, eps, norm
        See :mod:`nenni.adversary.attacks`; untargeted only.
    generator : Generator
        Its next number is the seed of the package.
    version : "standard" or "rand"
        The second for randomised networks: APGD-CE and APGD-DLR over 20 draws.

    Raises
    ------
    UserError
        If the package is not installed.
    """
    try:
        import pyautoattack
    except ImportError as error:
        raise UserError(
            "the attack autoattack needs the package pyautoattack: pip install 'nenni[autoattack]'"
        ) from error
    model = watched(model, inputs, labels, eps, norm)
    if eps == 0 or not len(inputs):
        return inputs.clone()
    draw = torch.randint(2**31, (), generator=generator, device=generator.device)
    with torch.no_grad():
        classes = model(inputs[:1]).shape[1]
    with frozen(model), _global_seed(int(draw)), _logged_as_warnings():
        attack = pyautoattack.AutoAttack(
            model, norm={"linf": "Linf", "l2": "L2"}[norm], eps=eps, device=inputs.device,
            seed=int(draw), version=version,
        )  # fmt: skip
        attack.attacks_to_run = _defined(attack.attacks_to_run, classes)
        targets = min(attack.fab.n_target_classes, classes - 1)
        attack.apgd_targeted.n_target_classes = attack.fab.n_target_classes = targets
        images, _ = attack.run_standard_evaluation(inputs, labels, batch_size=len(inputs))
    return Ball(inputs, eps, norm).project(images.detach())


def _defined(attacks: list[str], classes: int) -> list[str]:
    """The attacks whose losses exist for so many classes."""
    fewest = {"apgd-dlr": DLR_CLASSES, "apgd-t": TARGETED_DLR_CLASSES}
    return [name for name in attacks if classes >= fewest.get(name, 2)]


@contextmanager
def _global_seed(seed: int) -> Iterator[None]:
    """What the package takes from the global state is seeded, and the state put back."""
    tracer = sys.gettrace()  # the package's check for dynamic defences drops it
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
    sys.settrace(tracer)


@contextmanager
def _logged_as_warnings() -> Iterator[None]:
    logger, handler = logging.getLogger("auto-attack"), _Warn(logging.WARNING)
    logger.addHandler(handler)
    propagate, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


class _Warn(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Warn, without the package's reference to a file of its repository."""
        warnings.warn(record.getMessage().partition(" See ")[0], stacklevel=2)
