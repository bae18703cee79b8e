"""What variants that ONNX Runtime runs share: export with any batch size, int8, sessions, counts of what is computed."""

from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from cifar_pipelines.common import whole_files
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.precision import cpu_has_vnni
from cifar_pipelines.common.words import first_line
from cifar_pipelines.compression.quiet import quiet
from cifar_pipelines.compression.subject import Subject
from cifar_pipelines.compression.variants import Logits

INPUT, OUTPUT = "images", "logits"
EXPORTED_WITH = 2  # images; torch takes a dimension of 1 for one that is always 1
SEVERE = 3  # of ONNX Runtime's levels: errors
# Convolutions and matrix products as ONNX Runtime's optimiser names what it will compute.
FLOAT_LAYERS = {"Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul"}
INT8_LAYERS = {
    "QLinearConv", "QGemm", "QLinearMatMul", "ConvInteger", "MatMulInteger", "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
}  # fmt: skip


def export(module: nn.Module, subject: Subject, file: Path) -> None:
    """Writes a module as an ONNX file that takes any number of images.

    Raises:
        UserError: If torch cannot export it.
    """
    batch = {0: torch.export.Dim("batch")}
    with whole_files.writing(file) as partial, quiet():
        try:
            torch.onnx.export(
                module, (subject.example(EXPORTED_WITH),), partial, dynamo=True, verbose=False, external_data=False,
                input_names=[INPUT], output_names=[OUTPUT], dynamic_shapes=(batch,),
            )  # fmt: skip
        except Exception as error:  # of torch.export and of the exporter, in many kinds
            raise UserError(
                f"torch cannot export this network to ONNX ({first_line(str(error), 200) or type(error).__name__})."
            ) from error


def quantise_static(
    prepared: Path, calibration: Sequence[Tensor], activations: str, file: Path, layers: Sequence[str] = ()
) -> None:
    """Writes an ONNX file with int8 weights, per channel, and 8-bit activations, whose ranges are those of the calibration.

    Quantise and dequantise nodes (QDQ) stand around every layer, for the runtime to fuse. Where the CPU would add up
    products in 16 bits, weights have 7 bits.

    Args:
        prepared: The ONNX file in float32, from `preprocessed`.
        calibration: Batches as the module takes them.
        activations: "uint8" or "int8".
        file: Where to write.
        layers: Names of the layers that alone are quantised, and nothing between them; none for all that can be.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        """Hands out the batches one by one."""

        def __init__(self) -> None:
            self._batches = iter(calibration)

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self._batches, None)
            return None if batch is None else {INPUT: batch.contiguous().numpy()}

    with whole_files.writing(file) as partial, quiet():
        quantize_static(
            prepared, partial, Reader(), quant_format=QuantFormat.QDQ, per_channel=True, nodes_to_quantize=list(layers),
            activation_type={"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}[activations],
            weight_type=QuantType.QInt8, reduce_range=not cpu_has_vnni(),
        )  # fmt: skip


def quantise_dynamic(source: Path, file: Path) -> None:
    """Writes an ONNX file whose linear layers have int8 weights; the ranges of activations are taken in every call."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with preprocessed(source) as prepared, whole_files.writing(file) as partial, quiet():
        quantize_dynamic(prepared, partial, op_types_to_quantize=["Gemm", "MatMul"], weight_type=QuantType.QInt8)


def load_session(file: Path, threads: int) -> Logits:
    """Loads a file as the function that `Variant.load` returns, with so many threads."""
    session = _session(file, threads)

    def logits(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {INPUT: images.numpy()})[0])

    return logits


def layers_of(file: Path) -> tuple[int, int]:
    """Counts what the runtime will compute, after it has optimised the file.

    Returns:
        Convolutions and matrix products with integers, and all of them.
    """
    import onnx

    with TemporaryDirectory() as folder:
        optimised = Path(folder) / "optimised.onnx"
        _session(file, 1, optimised)
        found = Counter(node.op_type for node in onnx.load(optimised).graph.node)
    int8 = sum(found[name] for name in INT8_LAYERS)
    return int8, int8 + sum(found[name] for name in FLOAT_LAYERS)


def layer_names(file: Path) -> list[str]:
    """Names of the convolutions and matrix products of a file, in their order."""
    import onnx

    return [node.name for node in onnx.load(file).graph.node if node.op_type in FLOAT_LAYERS]


def require_int8(layers: tuple[int, int]) -> None:
    """Raises a `UserError` where no layer is computed with integers."""
    if not layers[0]:
        raise UserError(f"Nothing was quantised: none of its {layers[1]} layers is computed with integers.")


def _session(file: Path, threads: int, optimised: Path | None = None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = SEVERE
    if optimised is not None:
        options.optimized_model_filepath = str(optimised)
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


@contextmanager
def preprocessed(source: Path) -> Any:
    """The file as quantisation wants it: shapes inferred, batch norms folded into convolutions."""
    from onnxruntime.quantization import quant_pre_process

    with TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        with quiet():
            # Symbolic inference of shapes is for transformers; it knows no reduction over axes that are an input.
            quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        yield prepared
