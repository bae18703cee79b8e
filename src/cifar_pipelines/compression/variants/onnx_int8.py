"""Static int8 by ONNX Runtime: weights and activations, ranges from training images."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.compression import onnx_files
from cifar_pipelines.compression.subject import Material, Subject
from cifar_pipelines.compression.torch_files import parameter_count
from cifar_pipelines.compression.variants import Logits, Made, Variant, register

ACTIVATIONS = ("uint8", "int8")


@register
@dataclass(frozen=True)
class OnnxInt8(Variant):
    """Quantised after training (QDQ, per channel); source: Jacob et al., CVPR 2018, arXiv:1712.05877.

    Attributes:
        activations: "uint8" or "int8". On x86 ONNX Runtime multiplies signed activations in float32 wherever two layers
            read them, as in every residual block: of ResNet-18's 21 layers 12 stay in float32, and none with "uint8".
    """

    activations: str = "uint8"

    ending: ClassVar[str] = "onnx"
    runtime: ClassVar[str] = "ONNX Runtime"
    baseline: ClassVar[str] = "onnx_fp32"
    packages: ClassVar[tuple[str, ...]] = onnx_files.PACKAGES

    def __post_init__(self) -> None:
        if self.activations not in ACTIVATIONS:
            raise UserError(
                f"onnx_int8.activations is {self.activations!r}, but must be one of {', '.join(ACTIVATIONS)}. Give uint8."
            )

    def make(self, subject: Subject, material: Material, file: Path) -> Made:
        """Exports the module, looks at the calibration images, and quantises."""
        module, calibration = subject.build(), material.calibration(subject)
        with TemporaryDirectory() as folder:
            exported = Path(folder) / "float32.onnx"
            onnx_files.export(module, subject, exported)
            onnx_files.quantise_static(exported, calibration, self.activations, file)
        layers = onnx_files.layers_of(file)
        onnx_files.require_int8(layers)
        facts = {"calibration_images": sum(map(len, calibration)), "activations": self.activations}
        return Made(parameter_count(module), None, *layers, facts=facts)

    def load(self, subject: Subject, file: Path, threads: int) -> Logits:
        """Loads the file."""
        return onnx_files.load_session(file, threads)
