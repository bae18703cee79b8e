"""Dynamic int8 by ONNX Runtime: what many try first, and what leaves convolutions as they are."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cifar_pipelines.compression.variants import Made, register
from cifar_pipelines.compression.variants._onnx import OnnxVariant, exported, made_int8

if TYPE_CHECKING:
    from cifar_pipelines.compression.subject import Material, Subject


@register
@dataclass(frozen=True)
class DynamicInt8(OnnxVariant):
    """Linear layers alone in int8, as torch's `quantize_dynamic` does it."""

    hollow: ClassVar[str] = "Only linear layers are quantised; convolutions, which take the time, stay in float32."

    def make(self, subject: "Subject", material: "Material", file: Path) -> Made:
        """Exports the module and quantises its linear layers."""
        from cifar_pipelines.compression import onnx_files

        module = subject.build()
        with exported(module, subject) as source:
            onnx_files.quantise_dynamic(source, file)
        return made_int8(module, file)
