"""The network by ONNX Runtime, in float32."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cifar_pipelines.compression import onnx_files
from cifar_pipelines.compression.subject import Material, Subject
from cifar_pipelines.compression.torch_files import parameter_count
from cifar_pipelines.compression.variants import Logits, Made, Variant, register


@register
@dataclass(frozen=True)
class OnnxFp32(Variant):
    """An ONNX file that takes any number of images."""

    ending: ClassVar[str] = "onnx"
    runtime: ClassVar[str] = "ONNX Runtime"
    baseline: ClassVar[str] = "onnx_fp32"
    packages: ClassVar[tuple[str, ...]] = onnx_files.PACKAGES

    def make(self, subject: Subject, material: Material, file: Path) -> Made:
        """Exports the module."""
        module = subject.build()
        onnx_files.export(module, subject, file)
        return Made(parameter_count(module), layers=onnx_files.layers_of(file)[1])

    def load(self, subject: Subject, file: Path, threads: int) -> Logits:
        """Loads the file."""
        return onnx_files.load_session(file, threads)
