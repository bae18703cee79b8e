"""Dynamic int8 by ONNX Runtime: what many try first, and what leaves convolutions as they are."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from cifar_pipelines.compression import onnx_files
from cifar_pipelines.compression.subject import Material, Subject
from cifar_pipelines.compression.torch_files import parameter_count
from cifar_pipelines.compression.variants import Logits, Made, Variant, register


@register
@dataclass(frozen=True)
class DynamicInt8(Variant):
    """Linear layers alone in int8, as torch's `quantize_dynamic` does it."""

    ending: ClassVar[str] = "onnx"
    runtime: ClassVar[str] = "ONNX Runtime"
    baseline: ClassVar[str] = "onnx_fp32"
    packages: ClassVar[tuple[str, ...]] = onnx_files.PACKAGES
    hollow: ClassVar[str] = "Only linear layers are quantised; convolutions, which take the time, stay in float32."

    def make(self, subject: Subject, material: Material, file: Path) -> Made:
        """Exports the module and quantises its linear layers."""
        module = subject.build()
        with TemporaryDirectory() as folder:
            exported = Path(folder) / "float32.onnx"
            onnx_files.export(module, subject, exported)
            onnx_files.quantise_dynamic(exported, file)
        layers = onnx_files.layers_of(file)
        onnx_files.require_int8(layers)
        return Made(parameter_count(module), None, *layers)

    def load(self, subject: Subject, file: Path, threads: int) -> Logits:
        """Loads the file."""
        return onnx_files.load_session(file, threads)
