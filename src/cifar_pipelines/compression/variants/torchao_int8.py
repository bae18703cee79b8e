"""Static int8 by torchao for torch's Inductor: weights and activations, ranges from training images."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cifar_pipelines.compression.variants import Logits, Made, Variant, register

if TYPE_CHECKING:
    from cifar_pipelines.compression.subject import Material, Subject


@register
@dataclass(frozen=True)
class TorchaoInt8(Variant):
    """An exported program with int8 weights, compiled when it is loaded."""

    ending: ClassVar[str] = "pt2"
    runtime: ClassVar[str] = "torch, compiled"
    baseline: ClassVar[str] = "compiled"
    packages: ClassVar[tuple[str, ...]] = ("torchao",)

    def obstacle(self) -> str | None:
        """Why it cannot run here."""
        from cifar_pipelines.compression import compiling

        return compiling.obstacle()

    def make(self, subject: "Subject", material: "Material", file: Path) -> Made:
        """Quantises the module after a look at the calibration images, and exports it."""
        from cifar_pipelines.compression.torch_files import parameter_count
        from cifar_pipelines.compression.torchao_files import quantise

        module, calibration = subject.build(), material.calibration(subject)
        parameters = parameter_count(module)
        int8, layers = quantise(module, subject, calibration, file)
        facts = {"calibration_images": sum(map(len, calibration))}
        return Made(parameters, int8_layers=int8, layers=layers, facts=facts)

    def load(self, subject: "Subject", file: Path, threads: int) -> Logits:
        """Loads the program and compiles it."""
        from cifar_pipelines.compression.compiling import compiled
        from cifar_pipelines.compression.torch_files import logits_of
        from cifar_pipelines.compression.torchao_files import load_program

        return logits_of(compiled(load_program(file)))
