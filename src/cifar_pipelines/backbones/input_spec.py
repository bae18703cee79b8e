"""What a network with pretrained weights expects of an image, kept with all that is computed from it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.squares import Square

if TYPE_CHECKING:
    import torch

# The statistics of ImageNet's images, with which most of torchvision's weights were trained.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class InputSpec:
    """How images become the input of a network.

    Attributes:
        size: Height and width in pixels that the network gets.
        resize: Height and width in pixels to which the policy "crop" resizes, before it cuts out `size`.
        filter: How pixels are interpolated, "bilinear" or "bicubic".
        mean: What is subtracted from red, green and blue, which are between 0 and 1.
        std: By what they are divided then.
        colour: Order of the channels; "RGB" is the only one there is.
        policy: What becomes of an image that is no square: "squash", "crop" or "pad", as in `Square`.
    """

    size: int
    resize: int
    filter: str = "bilinear"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    colour: str = "RGB"
    policy: str = "squash"

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            values = tuple(map(float, getattr(self, name)))
            if len(values) != 3 or (name == "std" and min(values) <= 0):
                raise UserError(
                    f"{name} is {values}, but must be one number for each of red, green and blue, std above 0."
                )
            object.__setattr__(self, name, values)
        if self.colour != "RGB":
            raise UserError(
                f"colour is {self.colour!r}, but images are read as RGB. Take weights that were trained on RGB."
            )
        _ = self.square  # which checks the rest

    @property
    def crop(self) -> float:
        """The share of the resized image's side that "crop" leaves, as weights state it."""
        return self.size / self.resize

    @property
    def square(self) -> Square:
        """How the pixels of an image come to be `size` x `size`; bars of the policy "pad" are as dark as the mean."""
        red, green, blue = (round(255 * value) for value in self.mean)
        return Square(self.size, self.filter, self.policy, max(self.size, self.resize), (red, green, blue))

    def adapted(self, size: int | None = None, policy: str | None = None) -> "InputSpec":
        """The same for another size, of which "crop" leaves the same share, or another policy; None keeps what is."""
        size = self.size if size is None else size
        resize = max(size, round(self.resize * size / self.size))
        return replace(self, size=size, resize=resize, policy=self.policy if policy is None else policy)

    def normalise(self, images: "torch.Tensor") -> "torch.Tensor":
        """What the network takes of uint8 images (n, 3, size, size): float32 of the same shape, on the same device."""
        import torch

        mean, std = (torch.tensor(values, device=images.device).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return torch.addcmul(-mean / std, images, 1 / (255 * std))

    def prepare(self, images: "torch.Tensor") -> "torch.Tensor":
        """The same as `normalise`, in the layout in which networks convolve fastest."""
        import torch

        return self.normalise(images).contiguous(memory_format=torch.channels_last)

    @property
    def words(self) -> str:
        """What differs from most of torchvision's weights, squashed images; empty for nothing."""
        usual = InputSpec(self.size, self.resize)
        parts = [] if self.policy == usual.policy else [f"images {_DONE[self.policy]}"]
        parts += [] if self.filter == usual.filter else [self.filter]
        if (self.mean, self.std) != (usual.mean, usual.std):
            parts.append(f"mean {_joined(self.mean)} and std {_joined(self.std)}")
        return ", ".join(parts)

    @property
    def in_full(self) -> str:
        """All that becomes of an image, in words."""
        cut = f" to {self.resize} px, {self.size} px in the middle" if self.policy == "crop" else ""
        return f"{_DONE[self.policy]}{cut}, {self.filter}, mean {_joined(self.mean)}, std {_joined(self.std)}"

    def to_json(self) -> dict[str, Any]:
        """A block of JSON, with the names of the fields."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def saved(self) -> dict[str, Any]:
        """The same, for the file of a network."""
        return self.to_json()

    @classmethod
    def from_json(cls, block: Mapping[str, Any]) -> "InputSpec":
        """Reads what `to_json` wrote; keys that it does not know are ignored.

        Raises:
            UserError: If a value is none that an input can have.
        """
        return cls(**{field.name: block[field.name] for field in fields(cls) if field.name in block})


_DONE = {"squash": "squashed", "crop": "cropped", "pad": "padded"}


def _joined(values: tuple[float, ...]) -> str:
    return "/".join(f"{value:g}" for value in (values if len(set(values)) > 1 else values[:1]))
