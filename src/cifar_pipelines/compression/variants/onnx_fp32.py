"""The network by ONNX Runtime, in float32."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cifar_pipelines.compression.variants import Made, register
from cifar_pipelines.compression.variants._onnx import OnnxVariant

if TYPE_CHECKING:
    from cifar_pipelines.compression.subject import Material, Subject


@register
@dataclass(frozen=True)
class OnnxFp32(OnnxVariant):
    """The module as it is."""

    def make(self, subject: "Subject", material: "Material", file: Path) -> Made:
        """Exports the module."""
        from cifar_pipelines.compression import onnx_files
        from cifar_pipelines.compression.torch_files import parameter_count

        module = subject.build()
        onnx_files.export(module, subject, file)
        return Made(parameter_count(module), layers=onnx_files.layers_of(file)[1])
