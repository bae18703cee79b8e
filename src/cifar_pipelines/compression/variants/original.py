"""The network as it was trained, in float32."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cifar_pipelines.compression.variants import Logits, Made, Variant, register

if TYPE_CHECKING:
    from cifar_pipelines.compression.subject import Material, Subject


@register
@dataclass(frozen=True)
class Original(Variant):
    """A state dict, run by torch operation by operation."""

    ending: ClassVar[str] = "pt"
    runtime: ClassVar[str] = "torch"

    def make(self, subject: "Subject", material: "Material", file: Path) -> Made:
        """Writes the weights."""
        from cifar_pipelines.compression.torch_files import flops_of, parameter_count, save_weights

        module = subject.build()
        save_weights(module.state_dict(), file)
        return Made(parameter_count(module), flops_of(module, subject))

    def load(self, subject: "Subject", file: Path, threads: int) -> Logits:
        """Loads the weights."""
        from cifar_pipelines.compression.torch_files import load_module, logits_of

        return logits_of(load_module(subject, file))
