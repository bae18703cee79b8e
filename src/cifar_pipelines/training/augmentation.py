"""Augmentation of whole batches of tensors, drawn from a generator that the caller seeds."""

import torch
from torch import Tensor
from torch.nn.functional import pad


def shift(images: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """Shifts every image by up to `padding` pixels in both directions, reflected at the border.

    Args:
        images: Tensor of shape (n, 3, size, size).
        padding: Largest shift in pixels; 0 returns the images as they are.
        generator: Draws the shifts.

    Returns:
        Tensor of the same shape, dtype and memory format.
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


def mirror(images: Tensor, chosen: Tensor) -> Tensor:
    """Mirrors the chosen images left to right.

    Args:
        images: Tensor of shape (n, 3, size, size).
        chosen: bool of shape (n,).
    """
    return torch.where(chosen.view(-1, 1, 1, 1), images.flip(-1), images)


def cut_out(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Blanks a square of `side` pixels at a random place in every image; 0 returns them as they are."""
    if not side:
        return images
    size = images.shape[-1]
    corner = torch.randint(0, max(size - side, 0) + 1, (len(images), 2), generator=generator)
    position = torch.arange(size)
    inside = (position >= corner[:, :, None]) & (position < corner[:, :, None] + side)  # (n, 2, size)
    return images.clone().masked_fill_((inside[:, 0, :, None] & inside[:, 1, None, :])[:, None], 0.0)
