"""The network behind pretrained weights: its input, its parts, and how it is built for another task."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from cifar_pipelines.backbones.input_spec import InputSpec
from cifar_pipelines.backbones.skeletons import without_memory
from cifar_pipelines.backbones.stages import stages_of
from cifar_pipelines.backbones.text_spec import TextSpec
from cifar_pipelines.backbones.weights import LoadedWeights, fit, weights_sha256
from cifar_pipelines.common.contents import IMAGE, Content
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.words import first_line

if TYPE_CHECKING:
    import torch
    from torch import nn

AUXILIARY_WEIGHT = (
    0.4  # of the loss of an auxiliary head: Szegedy et al., "Rethinking the Inception Architecture", 2016
)


class Backbone(ABC):
    """A network of a library, for which the library or others have pretrained weights.

    Attributes:
        library: Name of the library.
        example: A name of one of its networks, for messages.
        content: What its networks read, images or texts.
        model: Name of the network in the library.
        spec: What the input of a network is that was settled before; None for what its weights say. Texts need it.
    """

    library: ClassVar[str]
    example: ClassVar[str]

    content: ClassVar[Content] = IMAGE

    def __init__(self, model: str, spec: "InputSpec | TextSpec | None" = None) -> None:
        self.model, self.spec = model, spec
        self.check_known()

    @property
    def name(self) -> str:
        """The name by which it is asked for, "<library>:<model>"."""
        return f"{self.library}:{self.model}"

    @property
    def default_weights(self) -> str:
        """The weights that are taken where none are named."""
        return "download"

    @classmethod
    def files_in_place(cls, model: str, weights: str | None) -> list[Path]:
        """Files that the name of a network stands for, whose content may change under it, the weights last."""
        return []

    @abstractmethod
    def check_known(self) -> None:
        """Raises a `UserError` if the library is not installed, or has no such network."""

    @abstractmethod
    def head_names(self) -> tuple[str, ...]:
        """Prefixes of the names of the parameters that belong to the head and differ with the number of classes."""

    @abstractmethod
    def network(self, classes: int | None) -> "nn.Module":
        """The network with fresh weights, for so many classes; None takes the head away, which leaves (n, d)."""

    @abstractmethod
    def download(self) -> LoadedWeights:
        """The library's own weights, fetched once.

        Raises:
            UserError: If they are not there and cannot be fetched, or have another checksum.
        """

    @abstractmethod
    def published_input(self, sha256: str | None) -> InputSpec:
        """What the metadata of the weights in a file say; of files that are unknown, those of the library's own weights."""

    @abstractmethod
    def folded(self, network: "nn.Module") -> "nn.Module":
        """A network that `build` made, in evaluation mode, with its batch normalisations folded into convolutions."""

    def translated(self, state: Mapping[str, "torch.Tensor"]) -> Mapping[str, "torch.Tensor"]:
        """Weights under the names of this library, where another one gave them names that are known."""
        return state

    def input_spec(
        self, weights: str | LoadedWeights | None = None, size: int | None = None, policy: str | None = None
    ) -> InputSpec:
        """What the network expects of an image with these weights.

        Args:
            weights: The weights as `load_weights` takes them, or those that it returned.
            size: Another height and width in pixels than the weights were trained with.
            policy: What becomes of an image that is no square; None squashes it.

        Raises:
            UserError: If a file of weights is not there, or the size or policy is none.
        """
        sha256 = weights.sha256 if isinstance(weights, LoadedWeights) else weights_sha256(self, weights)
        return self.published_input(sha256).adapted(size, policy)

    def build(self, classes: int | None = None, state: Mapping[str, "torch.Tensor"] | None = None) -> "nn.Module":
        """Builds the network for another task.

        In training mode a network with an auxiliary head returns a tuple, main logits first; `training_loss` takes both.

        Args:
            classes: Number of logits; None takes the head away, so that features (n, d) come out.
            state: Weights, as in `LoadedWeights.state_dict`; None leaves fresh ones. Those of a head count where it has
                as many logits, and otherwise the head is fresh.

        Returns:
            A module that maps normalised images (n, 3, size, size), float32, to logits (n, classes) or features.

        Raises:
            UserError: If the weights are those of another network.
        """
        network = self.network(classes)
        if state is not None:
            fit(network, state, self, "The state")
        return network

    def stages(self) -> list[tuple[str, list[str]]]:
        """The blocks in order from the input to the head, each with prefixes of the names of its parameters."""
        return stages_of(self.skeleton(), self.head_names())

    def skeleton(self, classes: int | None = 1000) -> "nn.Module":
        """The network without memory for its weights, in evaluation mode: only names and shapes."""
        with without_memory():
            return self.network(classes).eval()

    def check_size(self, size: int, training: bool = False) -> None:
        """Raises a `UserError` if the network cannot take images of so many pixels, in height and width.

        An auxiliary head, which only training needs, may ask for more.
        """
        import torch

        try:
            self.skeleton().train(training)(torch.zeros((2, 3, size, size), device="meta"))
        except Exception as error:  # every network refuses a size in its own way
            cannot = "cannot be trained on" if training else "cannot take"
            raise UserError(
                f"{self.name} {cannot} images of {size} px ({first_line(str(error), 120)}). Give the size it was made for, such as "
                f"input_size={self.published_input(None).size} (of a transfer: input.size)."
            ) from error


def training_loss(output: Any, loss: "Callable[[torch.Tensor], torch.Tensor]") -> "torch.Tensor":
    """The loss of what a network returns in training mode: auxiliary logits count 0.4 times.

    Args:
        output: Logits, or a tuple of logits and auxiliary logits.
        loss: What is lost by logits (n, classes).
    """
    if not isinstance(output, tuple):
        return loss(output)
    main, *auxiliary = (loss(logits) for logits in output if logits is not None)
    return main + AUXILIARY_WEIGHT * sum(auxiliary)
