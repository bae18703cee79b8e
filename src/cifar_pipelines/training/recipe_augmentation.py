"""Augmentation of whole batches by a recipe, drawn from a generator that the caller seeds."""

import torch
from torch import Tensor
from torch.nn.functional import pad


def shift(images: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """Shifts every image (n, 3, size, size) by up to `padding` pixels in both directions, reflected at the border.

    Returns:
        Tensor of the same shape, dtype and memory format; for no padding the images as they are.
    """
    if not padding:
        return images
    size = images.shape[-1]
    padded = pad(images, (padding,) * 4, mode="reflect")
    offsets = torch.randint(0, 2 * padding + 1, (len(images), 2), generator=generator)
    shifted = torch.empty_like(images)
    for dy in range(2 * padding + 1):  # images with the same offset are copied together
        rows = offsets[:, 0] == dy
        for dx in range(2 * padding + 1):
            chosen = (rows & (offsets[:, 1] == dx)).nonzero().squeeze(1)
            if len(chosen):
                shifted[chosen] = padded[chosen, :, dy : dy + size, dx : dx + size]
    return shifted


def mirror(images: Tensor, chosen: Tensor, dim: int = -1) -> Tensor:
    """Mirrors the chosen images left to right: those of (n, 3, size, size) for which a bool tensor (n,) is true; -2 turns them upside down."""
    return torch.where(chosen.view(-1, 1, 1, 1), images.flip(dim), images)


def cut_out(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Blanks a square of `side` pixels at a random place in every image; 0 returns them as they are."""
    if not side:
        return images
    size = images.shape[-1]
    corner = torch.randint(0, max(size - side, 0) + 1, (len(images), 2), generator=generator)
    position = torch.arange(size)
    inside = (position >= corner[:, :, None]) & (position < corner[:, :, None] + side)  # (n, 2, size)
    return images.clone().masked_fill_((inside[:, 0, :, None] & inside[:, 1, None, :])[:, None], 0.0)
