"""Networks with pretrained weights: which there are, what their weights expect of an image, and how weights are loaded.

`create_backbone` makes one of a name such as "torchvision:mobilenet_v2"; `load_weights` loads what it is built from.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from cifar_pipelines.backbones.backbone import Backbone, training_loss
from cifar_pipelines.backbones.input_spec import InputSpec
from cifar_pipelines.backbones.libraries import find, names
from cifar_pipelines.backbones.text_spec import TextSpec
from cifar_pipelines.backbones.weights import LoadedWeights, file_sha256, load_weights, named_file_sha256
from cifar_pipelines.common.errors import UserError

__all__ = [
    "Backbone",
    "InputSpec",
    "LoadedWeights",
    "TextSpec",
    "content_sha256",
    "create_backbone",
    "input_from",
    "load_weights",
    "names",
    "training_loss",
    "weights_in_place_sha256",
]


def input_from(block: Mapping[str, Any]) -> InputSpec | TextSpec:
    """What the file of a network says of its input."""
    return TextSpec.from_saved(block) if "tokenizer" in block else InputSpec.from_json(block)


def content_sha256(name: str, weights: str | None) -> str | None:
    """What the files hold that a network's name and its weights stand for, where their content may change under these names.

    Args:
        name: "<library>:<model>", or the name of what is no network.
        weights: As `load_weights` takes them.

    Returns:
        Hexadecimal digits: the checksum of the file in "path:<file>", or one of all files; None where there are none.
    """
    named = named_file_sha256(weights)
    found = [*([named] if named else []), *map(file_sha256, _files_in_place(name, weights))]
    if len(found) < 2:
        return found[0] if found else None
    return sha256("".join(found).encode()).hexdigest()


def weights_in_place_sha256(name: str, weights: str | None) -> str | None:
    """The checksum of the weights that lie where the name of a network says; None where none do."""
    files = _files_in_place(name, weights)
    return file_sha256(files[-1]) if len(files) > 1 else None


def _files_in_place(name: str, weights: str | None) -> list[Path]:
    library, _, model = str(name).partition(":")
    return find(library).files_in_place(model, weights) if library in names() else []


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
