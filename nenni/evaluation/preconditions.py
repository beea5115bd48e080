"""What must hold before a number means anything: of a model in evaluation."""

import torch
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.core.seeding import seeded
from nenni.data.checks import check_images
from nenni.networks.asking import answer, check_answer, check_ready


@torch.no_grad()
def check_classifier(model: nn.Module, images: Tensor) -> int | None:
    """Number of classes of a classifier; None if it returns labels only.

    Raises
    ------
    UserError
        If the model has no weights yet or is in train mode, the images are no images or not
        accepted, or what returns is neither logits (N, classes) nor labels (N,).
    """
    check_ready(model)
    if any(getattr(module, "training", False) for module in model.modules()):
        raise UserError(
            "the model is in train mode, where dropout and batch norm give other answers: call "
            "model.eval() first"
        )
    check_images(images)
    with seeded("preconditions"):
        outputs = check_answer(answer(model, images), images)
    return outputs.shape[1] if outputs.dim() > 1 else None
