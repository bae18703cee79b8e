"""`torchvision:<name>`: a pretrained torchvision classification network without its last layer."""

import hashlib
import io
import urllib.error
from collections.abc import Sequence
from typing import Any

from cifar_pipelines.common.errors import UserError, unknown_name
from cifar_pipelines.common.paths import local_path
from cifar_pipelines.extractors import Extractor, FeatureFunction, State, register

# The statistics with which torchvision's ImageNet weights were trained.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@register
class TorchvisionBackbone(Extractor):
    """Pooled features of a torchvision network, the layer that feeds its classifier.

    Args:
        backbone: Name of a torchvision classification model, such as "mobilenet_v2".
        weights_path: A file with a state dict; None takes torchvision's default ImageNet weights, which
            are downloaded once, with their checksum.
        input_size: Height and width in pixels; 160 is the best trade-off that was measured for 32x32 images.
        mirror: Whether to average the features of the image and of its mirror image, for twice the time.
    """

    def __init__(
        self, backbone: str, weights_path: str | None = None, input_size: int | None = None, *, mirror: bool = False
    ) -> None:
        if not backbone:
            raise UserError("The extractor torchvision needs a backbone. Write torchvision:mobilenet_v2, for example.")
        self.backbone = backbone
        self.name = f"torchvision:{backbone}"
        self.weights_path = weights_path
        self.input_size = input_size or 160
        self.mirror = mirror

    def check(self) -> None:
        """Raises if the backbone is unknown, too large an input is asked for, or weights are missing."""
        import torch
        import torchvision
        from torchvision.models import list_models

        known = list_models(module=torchvision.models)
        if self.backbone not in known:
            raise unknown_name("torchvision backbone", self.backbone, known)
        features = self.build(self.prepare([], 0), "fp32")
        try:
            features(torch.zeros((1, 3, self.input_size, self.input_size), dtype=torch.uint8))
        except Exception as error:  # every family refuses a size in its own way
            raise UserError(
                f"{self.backbone} cannot take images of {self.input_size} px ({str(error).splitlines()[0][:120]}). "
                "Give the size it was made for, such as --params input_size=224."
            ) from error

    def prepare(self, images: Sequence[bytes], seed: int) -> State:
        """Loads the weights; under `weights` are the bytes of the state dict as `torch.save` writes it."""
        import numpy as np
        import torch

        weights, _ = self._state_dict()
        buffer = io.BytesIO()
        torch.save(weights, buffer)
        return {"weights": np.frombuffer(buffer.getvalue(), np.uint8)}

    def build(self, state: State, precision: str) -> FeatureFunction:
        """Builds the network with batch norms folded into the convolutions, in `channels_last`."""
        import numpy as np
        import torch
        from torch.fx.experimental.optimization import fuse

        model = self._network()
        weights = torch.load(io.BytesIO(state["weights"]), weights_only=True)
        _load_without_head(model, weights, self.backbone, "the broadcast weights")
        model = fuse(model.eval())
        dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]
        model = model.to(dtype=dtype, memory_format=torch.channels_last)
        scale = 1 / (255 * torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        shift = -torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1) / torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)

        @torch.inference_mode()
        def features(images: torch.Tensor) -> np.ndarray:
            batch = torch.addcmul(shift, images, scale).to(dtype).contiguous(memory_format=torch.channels_last)
            vectors = model(batch).flatten(1).float()
            if self.mirror:
                vectors = (vectors + model(batch.flip(3)).flatten(1).float()) / 2
            return vectors.numpy()

        return features

    def describe(self) -> dict[str, Any]:
        """Name, origin of the weights with their SHA-256, input size."""
        _, origin = self._state_dict()
        origin += ", mirror images averaged" if self.mirror else ""
        return {"extractor": self.name, "weights": origin, "input_size": self.input_size}

    def _network(self) -> Any:
        """The network with random weights, its head replaced by the identity."""
        from torch import nn
        from torchvision.models import get_model

        # torchvision trained these two on input that they normalise themselves.
        own_input = {"init_weights": False, "transform_input": True}
        options = own_input if self.backbone in ("inception_v3", "googlenet") else {}
        model = get_model(self.backbone, weights=None, **options)
        if self.backbone.startswith("squeezenet"):  # its head is a convolution
            model.classifier = nn.AdaptiveAvgPool2d(1)
            return model
        head = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear)][-1]
        parent, _, leaf = head.rpartition(".")
        setattr(model.get_submodule(parent), leaf, nn.Identity())
        return model

    def _state_dict(self) -> tuple[dict[str, Any], str]:
        import torch
        from torchvision.models import get_model_weights

        if self.weights_path is not None:
            path = local_path(self.weights_path, "weights_path")
            if not path.is_file():
                raise UserError(
                    f"weights_path {str(path)!r} is no file. Give the path of a state dict of {self.backbone}, or "
                    "leave weights_path out to download torchvision's weights."
                )
            try:
                weights = torch.load(path, map_location="cpu", weights_only=True)
            except Exception as error:
                raise UserError(
                    f"{path} cannot be read as weights ({type(error).__name__}). It must be a state dict written by "
                    "torch.save; a truncated download is a common cause."
                ) from error
            origin = f"{path.name}, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
        else:
            default = get_model_weights(self.backbone).DEFAULT
            try:
                weights = default.get_state_dict(progress=False, check_hash=True, weights_only=True)
            except (urllib.error.URLError, OSError) as error:
                raise UserError(
                    f"The weights of {self.backbone} are not on this machine and cannot be downloaded ({error}). "
                    f"Give a state dict with weights_path=..., or take extractor=kmeans_patches, which needs no weights."
                ) from error
            except RuntimeError as error:
                raise UserError(
                    f"The downloaded weights of {self.backbone} have the wrong checksum ({error}). Run again; if it "
                    "recurs, download them by hand and give weights_path=..."
                ) from error
            origin = f"torchvision {default}"
        _load_without_head(self._network(), weights, self.backbone, origin)
        return weights, origin


def _load_without_head(model: Any, weights: dict[str, Any], backbone: str, origin: str) -> None:
    """Loads weights of which those of the removed head may be absent or left over, and no others."""
    wanted = len(model.state_dict())
    try:
        missing = model.load_state_dict(weights, strict=False).missing_keys
    except (RuntimeError, ValueError) as error:
        raise UserError(f"{origin} does not fit {backbone}: {str(error).splitlines()[-1].strip()}") from error
    if missing:
        raise UserError(
            f"{origin} is not a state dict of {backbone}: {len(missing)} of {wanted} tensors are missing, "
            f"such as {missing[0]!r}. Give weights that belong to this backbone."
        )
