"""`timm:<name>`: a pretrained network of timm without its last layer."""

from cifar_pipelines.extractors import register
from cifar_pipelines.extractors.torchvision import PretrainedBackbone


@register
class TimmBackbone(PretrainedBackbone):
    """Pooled features of a timm network; those of tf_efficientnet_lite0 and lite1 need no download."""

    library = "timm"
