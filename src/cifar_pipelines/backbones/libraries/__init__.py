"""Libraries that networks with pretrained weights come from: one file, one library, both of the same name."""

from cifar_pipelines.backbones.backbone import Backbone
from cifar_pipelines.common.registry import FileRegistry

_registry = FileRegistry[type[Backbone]](__name__, "library of backbones")
register, names, find = _registry.register, _registry.names, _registry.find
