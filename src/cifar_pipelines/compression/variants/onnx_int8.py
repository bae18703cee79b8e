"""Static int8 by ONNX Runtime: weights and activations, ranges from training images."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.compression.variants import Made, register
from cifar_pipelines.compression.variants._onnx import OnnxVariant, exported, made_int8

if TYPE_CHECKING:
    from cifar_pipelines.compression.subject import Material, Subject

ACTIVATIONS = ("uint8", "int8")


@register
@dataclass(frozen=True)
class OnnxInt8(OnnxVariant):
    """Quantised after training (QDQ, per channel); source: Jacob et al., CVPR 2018, arXiv:1712.05877.

    Attributes:
        activations: "uint8" or "int8". On x86 ONNX Runtime multiplies signed activations in float32 wherever two layers
            read them, as in every residual block: of ResNet-18's 21 layers 12 stay in float32, and none with "uint8".
    """

    activations: str = "uint8"

    def __post_init__(self) -> None:
        if self.activations not in ACTIVATIONS:
            raise UserError(
                f"onnx_int8.activations is {self.activations!r}, but must be one of {', '.join(ACTIVATIONS)}. Give uint8."
            )

    def make(self, subject: "Subject", material: "Material", file: Path) -> Made:
        """Exports the module, looks at the calibration images, and quantises what bears it."""
        from cifar_pipelines.compression.int8_layers import quantise

        module, calibration = subject.build(), material.calibration(subject)
        with exported(module, subject) as source:
            left = quantise(source, calibration, self.activations, file)
        facts = {"calibration_images": sum(map(len, calibration)), "activations": self.activations}
        return made_int8(module, file, **facts, **({"float32_layers": left} if left else {}))
