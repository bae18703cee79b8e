"""Fixed views of an image: what a head on stored features sees of it in the place of augmentation."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

VIEWS = 10
_CUT = 8  # a corner is the image without an eighth of its height and width


def view(images: "torch.Tensor", number: int) -> "torch.Tensor":
    """One of the ten views: the whole image and its four corners, enlarged to its size, each of them also mirrored.

    Source: ten crops, of A. Krizhevsky, I. Sutskever and G. Hinton, "ImageNet Classification with Deep Convolutional Neural Networks",
    2012, with the whole image in the place of its middle.

    Args:
        images: uint8 (n, 3, h, w).
        number: From 0 to `VIEWS` - 1; 0 is the image as it is, 1 its mirror image, 2 to 9 a corner and its mirror image in turn.

    Returns:
        uint8 of the same shape.
    """
    import torch

    corner, mirrored = divmod(number, 2)
    if corner:
        height, width = images.shape[-2:]
        high, wide = height - max(1, height // _CUT), width - max(1, width // _CUT)
        top, left = (corner - 1) // 2 * (height - high), (corner - 1) % 2 * (width - wide)
        cut = images[..., top : top + high, left : left + wide].float()
        enlarged = torch.nn.functional.interpolate(cut, (height, width), mode="bilinear", align_corners=False)
        images = enlarged.round().to(torch.uint8)
    return images.flip(-1) if mirrored else images
