"""`torchvision:<name>`: the classification networks of torchvision, with its ImageNet weights."""

import urllib.error
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar_pipelines.backbones.backbone import Backbone
from cifar_pipelines.backbones.folding import fold_batch_norms
from cifar_pipelines.backbones.input_spec import InputSpec
from cifar_pipelines.backbones.libraries import register
from cifar_pipelines.backbones.skeletons import without_memory
from cifar_pipelines.backbones.weights import DOWNLOAD, ELSEWHERE, LoadedWeights, file_sha256, verified
from cifar_pipelines.common.errors import UserError, unknown_name

if TYPE_CHECKING:
    from torch import nn

# torchvision trained these on input that they normalise themselves.
_OWN_INPUT = ("inception_v3", "googlenet")


@register
class TorchvisionBackbone(Backbone):
    """A network of torchvision."""

    library = "torchvision"
    example = "torchvision:mobilenet_v2"

    def check_known(self) -> None:
        """Raises if torchvision has no such network for classification."""
        import torchvision
        from torchvision.models import list_models

        known = list_models(module=torchvision.models)
        if self.model not in known:
            raise unknown_name("torchvision backbone", self.model, known)

    def head_names(self) -> tuple[str, ...]:
        """The last linear layer, that of SqueezeNet, which is a convolution, and auxiliary heads."""
        if self.model.startswith("squeezenet"):
            return ("classifier.1.",)
        auxiliary = {"inception_v3": ("AuxLogits.",), "googlenet": ("aux1.", "aux2.")}.get(self.model, ())
        return (f"{_last_linear(self.model)}.", *auxiliary)

    def network(self, classes: int | None) -> "nn.Module":
        """The network; Inception has its auxiliary head only with classes, GoogLeNet, whose are untrained, never."""
        from torch import nn

        auxiliary = self.model == "inception_v3" and classes is not None
        model = _fresh(self.model, 1000 if classes is None else classes, auxiliary)
        if classes is not None:
            return model
        if self.model.startswith("squeezenet"):
            model.classifier = nn.AdaptiveAvgPool2d(1)
        else:
            model.set_submodule(_last_linear(self.model), nn.Identity())
        return model

    def download(self) -> LoadedWeights:
        """The default weights, of which torchvision checks the checksum when it fetches them, and never that of a file that is there."""
        entry = self._entries().DEFAULT
        if (file := self._file(entry)).exists():
            verified(file, DOWNLOAD)
        try:
            weights = entry.get_state_dict(progress=False, check_hash=True, weights_only=True)
        except (urllib.error.URLError, OSError) as error:
            raise UserError(
                f"The weights of {self.model} are not on this machine and cannot be downloaded ({error}). Put the file "
                f"{entry.url} into {file.parent}, give a state dict ({ELSEWHERE}), or take "
                "timm:tf_efficientnet_lite0, whose weights are installed, or kmeans_patches, which needs none."
            ) from error
        except RuntimeError as error:
            raise UserError(
                f"The downloaded weights of {self.model} have the wrong checksum ({error}). Run again; if it recurs, "
                f"fetch {entry.url} elsewhere and put it into {file.parent}."
            ) from error
        return LoadedWeights(weights, f"torchvision {entry}", file_sha256(file))

    @staticmethod
    def _file(entry: Any) -> Path:
        """Where torch keeps a file of weights that it has fetched."""
        from torch import hub

        return Path(hub.get_dir()) / "checkpoints" / Path(entry.url).name

    def published_input(self, sha256: str | None) -> InputSpec:
        """The preset of the weights whose published file name begins the checksum, such as "-b0353104"."""
        entries = self._entries()
        known = [entry for entry in entries if sha256 and sha256.startswith(Path(entry.url).stem.rpartition("-")[2])]
        preset = (known[0] if known else entries.DEFAULT).transforms()
        (size,), (resize,) = preset.crop_size, preset.resize_size
        return InputSpec(size, resize, preset.interpolation.value, tuple(preset.mean), tuple(preset.std))

    def folded(self, network: "nn.Module") -> "nn.Module":
        """Folds into plain convolutions, which are all that torchvision has."""
        from torch import nn

        return fold_batch_norms(network, (nn.Conv2d,))

    def _entries(self) -> Any:
        from torchvision.models import get_model_weights

        return get_model_weights(self.model)


def _fresh(model: str, classes: int, auxiliary: bool) -> "nn.Module":
    from torchvision.models import get_model

    options = {"init_weights": True, "transform_input": True, "aux_logits": auxiliary} if model in _OWN_INPUT else {}
    return get_model(model, weights=None, num_classes=classes, **options)


@cache
def _last_linear(model: str) -> str:
    from torch import nn

    with without_memory():
        layers = _fresh(model, 1000, False).named_modules()
    return [name for name, layer in layers if isinstance(layer, nn.Linear)][-1]
