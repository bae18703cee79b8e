"""The network in bfloat16: half the bytes, and fast where the CPU multiplies it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cifar_pipelines.common.precision import cpu_has_bf16
from cifar_pipelines.compression.variants import Logits, Made, Variant, register

if TYPE_CHECKING:
    from cifar_pipelines.compression.subject import Material, Subject


@register
@dataclass(frozen=True)
class Bf16(Variant):
    """A state dict in bfloat16, run by torch in bfloat16."""

    ending: ClassVar[str] = "pt"
    runtime: ClassVar[str] = "torch"

    def make(self, subject: "Subject", material: "Material", file: Path) -> Made:
        """Writes the weights in bfloat16."""
        import torch

        from cifar_pipelines.compression.torch_files import parameter_count, save_weights

        module = subject.build().to(torch.bfloat16)
        save_weights(module.state_dict(), file)
        emulated = {} if cpu_has_bf16() else {"emulated": "this CPU does not multiply bfloat16 in hardware"}
        return Made(parameter_count(module), facts=emulated)

    def load(self, subject: "Subject", file: Path, threads: int) -> Logits:
        """Loads the weights."""
        import torch

        from cifar_pipelines.compression.torch_files import load_module, logits_of

        return logits_of(load_module(subject, file, torch.bfloat16), torch.bfloat16)
