"""Static int8 by ONNX Runtime: weights and activations, ranges from training images."""

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
class OnnxInt8(Variant):
    """Quantised after training (QDQ, signed, per channel); source: Jacob et al., CVPR 2018, arXiv:1712.05877."""

    ending: ClassVar[str] = "onnx"
    runtime: ClassVar[str] = "ONNX Runtime"
    baseline: ClassVar[str] = "onnx_fp32"
    packages: ClassVar[tuple[str, ...]] = onnx_files.PACKAGES

    def make(self, subject: Subject, material: Material, file: Path) -> Made:
        """Exports the module, looks at the calibration images, and quantises."""
        module, calibration = subject.build(), material.calibration(subject)
        with TemporaryDirectory() as folder:
            exported = Path(folder) / "float32.onnx"
            onnx_files.export(module, subject, exported)
            onnx_files.quantise_static(exported, calibration, file)
        layers = onnx_files.layers_of(file)
        onnx_files.require_int8(layers)
        return Made(parameter_count(module), None, *layers, facts={"calibration_images": sum(map(len, calibration))})

    def load(self, subject: Subject, file: Path, threads: int) -> Logits:
        """Loads the file."""
        return onnx_files.load_session(file, threads)
