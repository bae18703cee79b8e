"""Which layers of a network bear int8, tried on some calibration images."""

import logging
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.progress import Progress
from cifar_pipelines.compression import onnx_files

TRIED_ON = 2  # batches
LEAST_AGREEMENT = (
    0.9  # share of them that a network has to predict as before; where int8 goes well, it is 0.97 and more
)

logger = logging.getLogger(__name__)


def quantise(source: Path, calibration: Sequence[Tensor], activations: str, file: Path) -> list[str]:
    """Writes an ONNX file in static int8, but for layers that alone would change what the network predicts.

    One scale serves all channels that a layer reads or makes. Where a few are large, as behind a whitening layer, nothing is left of
    the others.

    Args:
        source: The ONNX file in float32.
        calibration: Batches as the module takes them.
        activations: See `onnx_files.quantise_static`.
        file: Where to write.

    Returns:
        Names of the layers that stay in float32; mostly none.

    Raises:
        UserError: If that is every layer.
    """
    with onnx_files.preprocessed(source) as prepared:
        onnx_files.quantise_static(prepared, calibration, activations, file)
        tried = calibration[:TRIED_ON]
        before = _predicted(prepared, tried)
        if _agreement(file, tried, before) >= LEAST_AGREEMENT:
            return []
        names = onnx_files.layer_names(prepared)
        ruined = _ruined(prepared, names, tried, before, activations)
        if len(ruined) == len(names):  # or the record would tell of layers in float32 that the file does not have
            raise UserError(f"Nothing was quantised: int8 ruins each of its {len(names)} layers.")
        if ruined:
            onnx_files.quantise_static(
                prepared, calibration, activations, file, [name for name in names if name not in ruined]
            )
    return ruined


def _ruined(
    prepared: Path, names: Sequence[str], tried: Sequence[Tensor], before: Tensor, activations: str
) -> list[str]:
    """The layers that, quantised alone, change what is predicted."""
    ruined, progress = [], Progress("Looking for layers that int8 ruins, layer", len(names))
    with TemporaryDirectory() as folder:
        alone = Path(folder) / "alone.onnx"
        for name in names:
            onnx_files.quantise_static(prepared, tried, activations, alone, [name])
            if _agreement(alone, tried, before) < LEAST_AGREEMENT:
                ruined.append(name)
            progress.advance()
    if ruined:
        logger.warning(
            f"int8 ruins {len(ruined)} of {len(names)} layers ({', '.join(ruined)}): quantised alone, each changes what is predicted "
            f"for more than {1 - LEAST_AGREEMENT:.0%} of {len(before)} training images. The others are quantised."
        )
    return ruined


def _predicted(file: Path, batches: Sequence[Tensor]) -> Tensor:
    """The classes that a file predicts, int64 (n,)."""
    logits = onnx_files.load_session(file, 1)
    return torch.cat([logits(batch.contiguous()).argmax(1) for batch in batches])


def _agreement(file: Path, batches: Sequence[Tensor], before: Tensor) -> float:
    return (_predicted(file, batches) == before).float().mean().item()
