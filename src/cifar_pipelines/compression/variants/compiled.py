"""The network compiled by torch, in float32: what its int8 sibling is measured against."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cifar_pipelines.compression.variants import Logits, Made, Variant, register

if TYPE_CHECKING:
    from cifar_pipelines.compression.subject import Material, Subject


@register
@dataclass(frozen=True)
class Compiled(Variant):
    """A state dict, run by code that torch's Inductor generates when it is loaded."""

    ending: ClassVar[str] = "pt"
    runtime: ClassVar[str] = "torch, compiled"
    baseline: ClassVar[str] = "compiled"

    def obstacle(self) -> str | None:
        """Why it cannot run here."""
        from cifar_pipelines.compression import compiling

        return compiling.obstacle()

    def make(self, subject: "Subject", material: "Material", file: Path) -> Made:
        """Writes the weights."""
        from cifar_pipelines.compression.torch_files import parameter_count, save_weights

        module = subject.build()
        save_weights(module.state_dict(), file)
        return Made(parameter_count(module))

    def load(self, subject: "Subject", file: Path, threads: int) -> Logits:
        """Loads the weights and compiles the module."""
        from cifar_pipelines.compression import compiling
        from cifar_pipelines.compression.torch_files import load_module, logits_of

        return logits_of(compiling.compiled(load_module(subject, file)))
