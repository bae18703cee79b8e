"""Images side by side in one pair of axes; a pair for every image would take three times as long to draw."""

import numpy as np
from matplotlib.axes import Axes


def draw_image(ax: Axes, pixels: np.ndarray, middle: float, bottom: float, interpolation: str = "nearest") -> float:
    """Draws an image so that its longer side is 1, in axes whose y grows downwards.

    Args:
        ax: The axes; `frame` says afterwards what of them is seen.
        pixels: The image, (height, width) or (height, width, channels).
        middle: Where the middle of its width is.
        bottom: Where its lower edge is.
        interpolation: As matplotlib names it.

    Returns:
        Where its upper edge is.
    """
    height, width = np.array(pixels.shape[:2]) / max(pixels.shape[:2])
    extent = (middle - width / 2, middle + width / 2, bottom, bottom - height)
    ax.imshow(pixels, interpolation=interpolation, extent=extent)
    return float(bottom - height)


def frame(ax: Axes, left: float, right: float, bottom: float) -> None:
    """Shows what lies from left to right and from 0 down to the bottom, and no axis; to be called after all was drawn."""
    ax.set_axis_off()
    ax.set(xlim=(left, right), ylim=(bottom, 0))
