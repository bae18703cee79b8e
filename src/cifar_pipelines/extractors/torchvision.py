"""`torchvision:<name>`: a pretrained torchvision classification network without its last layer."""

import io
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from cifar_pipelines.backbones import Backbone, InputSpec, LoadedWeights, create_backbone, load_weights
from cifar_pipelines.common.options import whole
from cifar_pipelines.extractors import Extractor, FeatureFunction, State, register


@register
class PretrainedBackbone(Extractor):
    """Pooled features of a pretrained network, the layer that feeds its classifier.

    Args:
        model: Name of a network of the library, such as "mobilenet_v2".
        weights: What `backbones.load_weights` takes; None takes the backbone's default.
        input_size: Height and width in pixels; 160 is the best trade-off that was measured for 32x32 images.
        mirror: Whether to average the features of the image and of its mirror image, for twice the time.
        policy: What becomes of an image that is no square: "squash", "crop" (its middle) or "pad" (bars).
    """

    library = "torchvision"

    def __init__(
        self,
        model: str,
        weights: str | None = None,
        input_size: int | None = None,
        *,
        mirror: bool = False,
        policy: str = "squash",
    ) -> None:
        self.name = f"{self.library}:{model}"
        self.weights = weights
        self.input_size = 160 if input_size is None else input_size
        whole("input_size", self.input_size, 1)
        self.mirror, self.policy = mirror, policy

    @cached_property
    def backbone(self) -> Backbone:
        """The network; nothing is built."""
        return create_backbone(self.name)

    @cached_property
    def input(self) -> InputSpec:
        """What the network expects of an image, from the metadata of its weights; `check` finds it, on the driver."""
        return self.backbone.input_spec(self.weights, self.input_size, self.policy)

    def check(self) -> None:
        """Raises if the backbone is unknown, weights are missing or wrong, or the network takes no such input."""
        _ = self.input
        self.backbone.check_size(self.input_size)
        _ = self._origin

    def prepare(self, images: Sequence[bytes], seed: int) -> State:
        """Loads the weights; under `weights` are the bytes of the state dict as `torch.save` writes it."""
        import numpy as np
        import torch

        buffer = io.BytesIO()
        torch.save(dict(load_weights(self.backbone, self.weights).state_dict), buffer)
        return {"weights": np.frombuffer(buffer.getvalue(), np.uint8)}

    def build(self, state: State, precision: str) -> FeatureFunction:
        """Builds the network with batch norms folded into the convolutions, in `channels_last`."""
        import numpy as np
        import torch

        weights = torch.load(io.BytesIO(state["weights"]), weights_only=True)
        model = self.backbone.folded(self.backbone.build(None, weights).eval())
        dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]
        model = model.to(dtype=dtype, memory_format=torch.channels_last)
        normalise = self.input.normalise

        @torch.inference_mode()
        def features(images: torch.Tensor) -> np.ndarray:
            batch = normalise(images).to(dtype).contiguous(memory_format=torch.channels_last)
            vectors = model(batch).flatten(1).float()
            if self.mirror:
                vectors = (vectors + model(batch.flip(3)).flatten(1).float()) / 2
            return vectors.numpy()

        return features

    def describe(self) -> dict[str, Any]:
        """Name, origin of the weights with their SHA-256, input."""
        origin, sha256 = self._origin
        return {
            "extractor": self.name,
            "weights": origin + (", mirror images averaged" if self.mirror else ""),
            "weights_sha256": sha256,
            "input_size": self.input_size,
            "input": self.input.to_json(),
        }

    @cached_property
    def _origin(self) -> tuple[str, str | None]:
        """Where the weights come from, and their checksum; they themselves are not kept, for this travels to workers."""
        loaded: LoadedWeights = load_weights(self.backbone, self.weights)
        return loaded.origin, loaded.sha256
