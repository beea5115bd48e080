"""Augmentation of a batch as tensors."""

import torch
import torch.nn.functional as F
from torch import Tensor


def shifted(images: Tensor, offset: Tensor) -> Tensor:
    """Each image (N, C, H, W) moved by rows and columns (2, N), signed, zeros moving in."""
    height, width = images.shape[2:]
    offset = offset.clamp(-max(height, width), max(height, width))
    most = int(offset.abs().max())
    padded = F.pad(images, (most,) * 4)
    start = (most - offset).to(images.device)
    rows = start[0, :, None] + torch.arange(height, device=images.device)
    columns = start[1, :, None] + torch.arange(width, device=images.device)
    sample = torch.arange(len(images), device=images.device)[:, None, None]
    moved = padded.movedim(1, -1)[sample, rows[:, :, None], columns[:, None, :]]
    return moved.movedim(-1, 1).contiguous()


def flipped(images: Tensor, which: Tensor) -> Tensor:
    """Those images (N, C, H, W) for which (N,) is true mirrored left to right."""
    return torch.where(which.to(images.device)[:, None, None, None], images.flip(3), images)
