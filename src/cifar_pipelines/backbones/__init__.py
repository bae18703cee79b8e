"""Networks with pretrained weights: which there are, what their weights expect of an image, and how weights are loaded.

`create_backbone` makes one of a name such as "torchvision:mobilenet_v2"; `load_weights` loads what it is built from.
"""

from collections.abc import Mapping
from typing import Any

from cifar_pipelines.backbones.backbone import Backbone, training_loss
from cifar_pipelines.backbones.input_spec import InputSpec
from cifar_pipelines.backbones.libraries import find, names
from cifar_pipelines.backbones.text_spec import TextSpec
from cifar_pipelines.backbones.weights import LoadedWeights, load_weights
from cifar_pipelines.common.errors import UserError

__all__ = [
    "Backbone",
    "InputSpec",
    "LoadedWeights",
    "TextSpec",
    "create_backbone",
    "input_from",
    "load_weights",
    "names",
    "training_loss",
]


def input_from(block: Mapping[str, Any]) -> InputSpec | TextSpec:
    """What the file of a network says of its input."""
    return TextSpec.from_saved(block) if "tokenizer" in block else InputSpec.from_json(block)


def create_backbone(name: str, spec: InputSpec | TextSpec | None = None) -> Backbone:
    """The network of a name "<library>:<model>"; nothing is built or loaded yet.

    Args:
        name: The name.
        spec: What its input is, where that was settled before.

    Raises:
        UserError: The library or the model is unknown, or the library is not installed.
    """
    library, _, model = str(name).partition(":")
    found = find(library)
    if not model:
        raise UserError(f"The library {library} needs the name of a model. Write {found.example}, for example.")
    return found(model, spec)
