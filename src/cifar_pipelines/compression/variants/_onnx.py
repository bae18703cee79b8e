"""What variants that ONNX Runtime runs share: one file, exported in float32 first, and how it is loaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar

from cifar_pipelines.compression.variants import Logits, Made, Variant

if TYPE_CHECKING:
    from torch import nn

    from cifar_pipelines.compression.subject import Subject


class OnnxVariant(Variant):
    """An ONNX file that takes any number of images."""

    ending: ClassVar[str] = "onnx"
    runtime: ClassVar[str] = "ONNX Runtime"
    baseline: ClassVar[str] = "onnx_fp32"
    packages: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript", "onnxruntime")

    def load(self, subject: "Subject", file: Path, threads: int) -> Logits:
        """Loads the file."""
        from cifar_pipelines.compression import onnx_files

        return onnx_files.load_session(file, threads)


@contextmanager
def exported(module: "nn.Module", subject: "Subject") -> Iterator[Path]:
    """The module as a file in float32, which is gone when the block ends."""
    from cifar_pipelines.compression import onnx_files

    with TemporaryDirectory() as folder:
        file = Path(folder) / "float32.onnx"
        onnx_files.export(module, subject, file)
        yield file


def made_int8(module: "nn.Module", file: Path, **facts: Any) -> Made:
    """What is known of a quantised file; raises a `UserError` where no layer is computed with integers."""
    from cifar_pipelines.compression import onnx_files
    from cifar_pipelines.compression.torch_files import parameter_count

    layers = onnx_files.layers_of(file)
    onnx_files.require_int8(layers)
    return Made(parameter_count(module), None, *layers, facts=facts)
