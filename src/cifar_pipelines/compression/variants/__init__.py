"""Variants of a trained network: one file, one variant, both of the same name.

A variant is a frozen dataclass; its fields are its options. It writes one file, and what is timed and judged is what is
loaded back from that file.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from cifar_pipelines.common.extras import require_packages
from cifar_pipelines.common.options import build
from cifar_pipelines.common.registry import FileRegistry
from cifar_pipelines.records.deployment_record import ORIGINAL

if TYPE_CHECKING:  # names and options of variants are known without torch, which takes seconds
    from torch import Tensor

    from cifar_pipelines.compression.subject import Material, Subject

Logits = Callable[["Tensor"], "Tensor"]


@dataclass(frozen=True)
class Made:
    """What is known of a variant when it is made.

    Attributes:
        parameters: Number of its weights.
        flops: Floating-point operations for one image, two for a multiplication with its addition; None where
            they are those of the original.
        int8_layers: Convolutions and matrix products that the runtime computes with integers; None for a variant that
            computes none of them so.
        layers: All convolutions and matrix products.
        facts: What else is to be known, such as how a network was trained again.
    """

    parameters: int
    flops: int | None = None
    int8_layers: int | None = None
    layers: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)


class Variant(ABC):
    """A way to make a trained network smaller or faster.

    Attributes:
        ending: Ending of the name of its file.
        runtime: What runs it, as people call it.
        baseline: The variant in float32 that the same runtime runs.
        packages: What has to be importable.
        hollow: Why it only looks smaller or faster, in a sentence; empty for one that is.
    """

    ending: ClassVar[str]
    runtime: ClassVar[str]
    baseline: ClassVar[str] = ORIGINAL
    packages: ClassVar[tuple[str, ...]] = ()
    hollow: ClassVar[str] = ""

    def obstacle(self) -> str | None:
        """Why it cannot run on this host, in a sentence; None if it can."""
        return None

    @abstractmethod
    def make(self, subject: "Subject", material: "Material", file: Path) -> Made:
        """Makes the variant and writes its file.

        Raises:
            UserError: If it cannot be made of this network.
        """

    @abstractmethod
    def load(self, subject: "Subject", file: Path, threads: int) -> Logits:
        """Loads the file; torch has so many threads already.

        Returns:
            A function from images as the module takes them, contiguous float32 (n, 3, size, size), to logits, float32
            (n, classes), for any n.
        """


_registry = FileRegistry[type[Variant]](__name__, "variant")
register, variant_names = _registry.register, _registry.names


def create_variant(name: str, options: Mapping[str, Any] | None = None) -> Variant:
    """Creates a variant with checked options.

    Raises:
        UserError: If name or options are unknown or illegal, or a library that it needs is not installed.
    """
    kind = _registry.find(name)
    variant = build(kind, options, f"the variant {name!r}")
    require_packages(f"The variant {name!r}", *kind.packages, otherwise=", or leave it out of deployment.variants")
    return variant
