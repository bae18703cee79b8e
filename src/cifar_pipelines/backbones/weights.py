"""The one door for pretrained weights: how they are named, found, verified, and fitted into a network."""

import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.paths import SHA256, project_path

if TYPE_CHECKING:
    import torch
    from torch import nn

logger = logging.getLogger(__name__)

DOWNLOAD, NONE = "download", "none"
PATH, PACKAGE = "path:", "package:"
LEGAL = f"{DOWNLOAD} (the library's own), {PATH}<file>, {PACKAGE}<distribution> or {NONE} (random)"
_ENDINGS = (".pth", ".pt", ".safetensors")
# How a file is given, for messages of what an extractor and a transfer load alike.
ELSEWHERE = (
    "of an extractor with --params weights=path:<file>, of a transfer with transfer.models.<name>.weights=path:<file>"
)
RANDOM_SEED = 0


@dataclass(frozen=True)
class LoadedWeights:
    """Weights that fit a network, but for its head.

    Attributes:
        state_dict: Tensors by name.
        origin: Where they come from, in words.
        sha256: Checksum of the file that they were read from; None for random ones, which are in no file.
    """

    state_dict: Mapping[str, "torch.Tensor"]
    origin: str
    sha256: str | None


class Pretrained(Protocol):
    """What is asked of a network before its weights are there; see `Backbone`."""

    name: str
    default_weights: str

    def head_names(self) -> tuple[str, ...]:
        """Prefixes of the names of the parameters of its head."""

    def network(self, classes: int | None) -> "nn.Module":
        """The network with fresh weights."""

    def skeleton(self) -> "nn.Module":
        """The network without memory for its weights."""

    def download(self) -> LoadedWeights:
        """The library's own weights."""

    def translated(self, state: Mapping[str, "torch.Tensor"]) -> Mapping[str, "torch.Tensor"]:
        """Weights under the names of its library."""


@cache
def say_random(name: str) -> None:
    """Says once in a process that a network has learned nothing, however often its weights are loaded."""
    logger.warning("%s gets random weights, as weights=%s asks: it has learned nothing.", name, NONE)


def load_weights(backbone: Pretrained, weights: str | None = None) -> LoadedWeights:
    """Loads weights and makes sure that they are those of a network.

    Args:
        backbone: The network.
        weights: "download", "path:<file>", where "#sha256=<hexadecimal digits>" may follow, "package:<distribution>" or
            "none"; None takes the backbone's default.

    Raises:
        UserError: If there is no such thing, a checksum is wrong, or the weights are those of another network.
    """
    weights = backbone.default_weights if weights is None else weights
    if weights == NONE:
        say_random(backbone.name)
        return _random(backbone)
    if weights == DOWNLOAD:
        loaded = backbone.download()
    else:
        file, origin = _located(backbone, weights)
        digest = verified(file, weights)
        loaded = LoadedWeights(read_state(file), f"{origin}, sha256 {digest[:16]}", digest)
    state = backbone.translated(loaded.state_dict)
    fit(backbone.skeleton(), state, backbone, loaded.origin)
    return LoadedWeights(state, loaded.origin, loaded.sha256)


def weights_sha256(backbone: Pretrained, weights: str | None = None) -> str | None:
    """The checksum of the file that weights are in; None where that is the library's own or there is none.

    Raises:
        UserError: If the file is not there.
    """
    weights = backbone.default_weights if weights is None else weights
    return None if weights in (NONE, DOWNLOAD) else file_sha256(_located(backbone, weights)[0])


def named_file_sha256(weights: str | None) -> str | None:
    """The checksum of the file in "path:<file>"; None for other weights, and where there is no such file.

    Raises:
        UserError: If it has another checksum than the one that is asked for.
    """
    file = project_path(_parts(weights)[0], "weights") if str(weights).startswith(PATH) else None
    return verified(file, weights) if file and file.is_file() else None


def file_sha256(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits; a file that has not changed is read once."""
    state = file.stat()
    return _sha256(file, state.st_ino, state.st_size, state.st_mtime_ns)


@lru_cache
def _sha256(file: Path, *_: int) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def fit(network: "nn.Module", state: Mapping[str, "torch.Tensor"], backbone: Pretrained, origin: str) -> None:
    """Loads weights into a network; a head may be absent, or be one for other classes, which is left out.

    Raises:
        UserError: If tensors are missing, left over or of another shape, with the first of them.
    """
    head, shapes = backbone.head_names(), {name: tensor.shape for name, tensor in network.state_dict().items()}
    strange = [name for name, value in state.items() if not hasattr(value, "shape")]
    if strange:
        raise UserError(
            f"{origin} holds {strange[0]!r}, which is no tensor, so it is not a state dict of {backbone.name}. Save the "
            "network's state_dict() alone."
        )
    body = {
        name: tensor for name, tensor in state.items() if not name.startswith(head) or shapes.get(name) == tensor.shape
    }
    for name, tensor in body.items():
        if name in shapes and shapes[name] != tensor.shape:
            raise UserError(
                f"{origin} does not fit {backbone.name}: {name} is of the shape {tuple(tensor.shape)}, not "
                f"{tuple(shapes[name])}. Give weights that belong to this network."
            )
    on_meta = any(parameter.is_meta for parameter in network.parameters())
    missing, left_over = network.load_state_dict(body, strict=False, assign=on_meta)
    missing = [name for name in missing if not name.startswith(head)]
    for names, wrong in ((missing, "missing"), (left_over, "too many")):
        if names:
            raise UserError(
                f"{origin} is not a state dict of {backbone.name}: {len(names)} tensors are {wrong} (the network has "
                f"{len(shapes)}), such as {names[0]!r}. Give weights that belong to this network."
            )


def read_state(file: Path) -> Mapping[str, "torch.Tensor"]:
    """Reads a state dict that torch.save wrote, or a file of safetensors; no code in it is run.

    Raises:
        UserError: If it is something else, or cut short.
    """
    import torch

    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for damaged files
        raise UserError(
            f"{file} cannot be read as weights ({type(error).__name__}). It must be a state dict written by torch.save; a "
            "truncated download is a common cause."
        ) from error
    if not isinstance(state, Mapping):
        raise UserError(
            f"{file} cannot be read as weights ({type(state).__name__}). It must be a state dict written by torch.save."
        )
    return state


def _random(backbone: Pretrained) -> LoadedWeights:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(RANDOM_SEED)
        return LoadedWeights(backbone.network(1000).state_dict(), f"random, seed {RANDOM_SEED}", None)


def _located(backbone: Pretrained, weights: str) -> tuple[Path, str]:
    """The file that weights are in, and what to call it."""
    if weights.startswith(PACKAGE):
        return file_in_package(weights.removeprefix(PACKAGE))
    if not weights.startswith(PATH):
        raise UserError(f"weights is {weights!r}, but must be {LEGAL}.")
    path = project_path(_parts(weights)[0], "weights")
    if not path.is_file():
        raise UserError(
            f"weights {str(path)!r} is no file. Give the path of a state dict of {backbone.name}, or leave it out for "
            f"{backbone.default_weights}."
        )
    return path, path.name


def _parts(weights: str) -> tuple[str, str | None]:
    """The path in "path:<path>#sha256=<checksum>", and the checksum if there is one."""
    path, _, checksum = weights.removeprefix(PATH).partition(SHA256)
    if SHA256 in weights and not re.fullmatch("[0-9a-f]{8,64}", checksum.lower()):
        raise UserError(f"weights asks for the sha256 {checksum!r}, but that must be 8 to 64 hexadecimal digits.")
    return path, checksum.lower() or None


def verified(file: Path, weights: str) -> str:
    """The checksum of a file, once it is compared with the one that is asked for."""
    found = file_sha256(file)
    wanted = _parts(weights)[1] if weights.startswith(PATH) else _in_name(file)
    if wanted and not found.startswith(wanted):
        raise UserError(
            f"{file} has the sha256 {found[: len(wanted)]}, not {wanted}: it is another file, or was cut short. Fetch it "
            "again, or correct the checksum."
        )
    return found


def _in_name(file: Path) -> str | None:
    """The first digits of the checksum, where the name of a published file ends with them."""
    digits = re.search("-([0-9a-f]{8,64})$", file.stem)
    return digits and digits[1]


def file_in_package(name: str, endings: tuple[str, ...] = _ENDINGS) -> tuple[Path, str]:
    """The one file of an installed distribution whose name ends so, and what to call it; raises UserError for none or more."""
    try:
        found = distribution(name)
    except (PackageNotFoundError, ValueError) as error:
        raise UserError(
            f"The distribution {name!r}, which holds the weights, is not installed. Install it with pip, or give other "
            f"weights: {LEGAL}."
        ) from error
    files = [file for file in _files(found) if file.name.endswith(endings)]
    if len(files) != 1:
        raise UserError(
            f"The distribution {name!r} holds {len(files)} files that end in {', '.join(endings)}, but must hold one. "
            "Give the file with path:<file>."
        )
    return files[0], f"{found.metadata['Name']} {found.version}"


def _files(found: Distribution) -> list[Path]:
    """The files of a distribution that are there; it is not imported."""
    files = (Path(str(found.locate_file(file))) for file in found.files or ())
    return [file for file in files if file.is_file()]
