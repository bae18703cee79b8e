"""`transformers:<place>`: pooled vectors of an encoder of texts."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cifar_pipelines.backbones import Backbone, TextSpec, create_backbone
from cifar_pipelines.common.contents import TEXT
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.extractors import FeatureFunction, State, register
from cifar_pipelines.extractors.torchvision import PretrainedBackbone

if TYPE_CHECKING:
    import torch


@register
class TextEncoder(PretrainedBackbone):
    """What a pretrained encoder makes of a text.

    Args:
        model: A folder, "package:<distribution>", or a name on the hub.
        weights: What `backbones.load_weights` takes; None takes those that lie beside the configuration.
        input_size: None; it is of images.
        max_tokens: Tokens of a text that the network sees; 0 for as many as it has positions.
        pooling: "mean", "first" or "pooler".
    """

    library = "transformers"
    content = TEXT
    input = None  # which is of images

    def __init__(
        self,
        model: str,
        weights: str | None = None,
        input_size: int | None = None,
        *,
        max_tokens: int = 128,
        pooling: str = "mean",
    ) -> None:
        if input_size is not None:
            raise UserError(
                f"The extractor {self.library}:{model} reads texts, which have no input_size. Leave it out."
            )
        self.name, self.weights, self.input_size = f"{self.library}:{model}", weights, None
        self._max_tokens, self._pooling = max_tokens, pooling

    @property
    def square(self) -> None:
        """There are no pixels."""

    @cached_property
    def backbone(self) -> Backbone:
        """The network; nothing is built."""
        return create_backbone(self.name, self.spec)

    @cached_property
    def spec(self) -> TextSpec:
        """What the network expects of a text; `check` finds it, on the driver."""
        return create_backbone(self.name).input_spec(None, max_tokens=self._max_tokens, pooling=self._pooling)

    def check(self) -> None:
        """Raises if the encoder or its weights are missing or wrong, or it sees no so long texts."""
        self.backbone.check_size(self.spec.max_tokens)
        _ = self._origin

    def build(self, state: State, precision: str) -> FeatureFunction:
        """Builds the network without a head."""
        import io

        import numpy as np
        import torch

        weights = torch.load(io.BytesIO(state["weights"]), weights_only=True)
        model = self.backbone.build(None, weights).eval()

        @torch.inference_mode()
        def features(ids: torch.Tensor) -> np.ndarray:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
                return model(ids).float().numpy()

        return features

    def load(self, encoded: Sequence[bytes]) -> "torch.Tensor":
        """Tokenises and pads; see `Extractor`."""
        return self.spec.batch(self.spec.tokens(encoded).ids)

    def chunks(self, encoded: Sequence[bytes], size: int) -> Iterator[list[int]]:
        """Texts of about the same length together, so that little is padded."""
        order = sorted(range(len(encoded)), key=lambda one: len(encoded[one]))
        for start in range(0, len(order), size):
            yield order[start : start + size]

    def example(self, files: int) -> "torch.Tensor":
        """See `Extractor`."""
        return self.spec.example(files)

    def describe(self) -> dict[str, Any]:
        """Name, origin of the weights with their SHA-256, and what becomes of a text."""
        origin, sha256 = self._origin
        return {
            "extractor": self.name,
            "weights": f"{origin}, {self.spec.in_full}",
            "weights_sha256": sha256,
            "input_size": None,
        }
