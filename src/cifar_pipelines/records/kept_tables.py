"""Tables that earlier runs left: whether they are there, and whether they are what the parameters ask for."""

from collections.abc import Callable, Mapping
from typing import Any

from kedro.io import DatasetError

from cifar_pipelines.backbones import weights_in_place_sha256
from cifar_pipelines.backbones.weights import named_file_sha256
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.paths import content_digest, project_path
from cifar_pipelines.extractors import create_extractor, options_of
from cifar_pipelines.sources import open_source

Parameters = Mapping[str, Any]


def why_to_make(pipeline: str, tables: list[str], catalog: Any, parameters: Parameters) -> str | None:
    """Why a pipeline has to run before what reads its tables; None if they can be used as they are.

    Args:
        pipeline: Name of the pipeline that makes the tables.
        tables: Their names in the catalog.
        catalog: The catalog for these parameters.
        parameters: All parameters.
    """
    if missing := [name for name in tables if not catalog.exists(name)]:
        return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not there for these parameters"
    try:
        return _CHANGED.get(pipeline, lambda *_: None)(catalog, parameters)
    except (DatasetError, KeyError) as error:  # written by an earlier version, or by hand
        return f"what is said of {', '.join(tables)} cannot be read ({type(error).__name__})"


def _images_changed(catalog: Any, parameters: Parameters) -> str | None:
    info, data = catalog.load("images_info"), parameters["data"]
    if info["bad_images_skipped"] and parameters["ingestion"]["on_bad_image"] == "fail":
        return f"{info['bad_images_skipped']} damaged images were left out, and on_bad_image is fail now"
    if (
        (cut := info.get("validation"))
        and cut.get("table")
        and content_digest(project_path(cut["table"], "validation.table")) != cut["table_digest"]
    ):
        return "the table of groups, by which validation images are cut, has changed"
    source = open_source(data["source"], data["path"], data["options"])
    if not source.exists():
        return None  # the table is what is left of it
    try:
        same = source.fingerprint() == info["source_fingerprint"]
    except UserError:  # said by the ingestion, with what to do
        same = False
    return None if same else "the images of the source have changed"


def _features_changed(catalog: Any, parameters: Parameters) -> str | None:
    info, block = catalog.load("features_info"), parameters["features"]
    if info["images_fingerprint"] != catalog.load("images_info")["fingerprint"]:
        return "the features are those of other images"
    wanted = options_of(block["extractor"], block["options"])
    if info["options"] != wanted:
        return f"the features were extracted with {info['options']}, and features.options asks for {wanted}"
    if changed := _weights_changed(block, info):
        return changed
    if info["precision"] is not None and block["precision"] not in ("auto", info["precision"]):
        return f"the features were extracted in {info['precision']}, and features.precision is {block['precision']}"
    return None


def _weights_changed(block: Mapping[str, Any], info: Mapping[str, Any]) -> str | None:
    """Why features are not those of these weights.

    The file may hold others now; and features from before their description named the input of the network may not be what
    its weights expect.
    """
    wanted = options_of(block["extractor"], block["options"])
    extractor = create_extractor(
        block["extractor"], block["weights_path"], block["input_size"], wanted, block.get("weights")
    )
    if known := info.get("weights_sha256"):  # those of a library do not change under their name
        found = named_file_sha256(extractor.weights) or weights_in_place_sha256(block["extractor"], extractor.weights)
        if found not in (None, known):
            return f"the weights have changed: their sha256 begins with {found[:8]}, and was {known[:8]}"
    if "input" in info:
        return None
    try:
        words = extractor.input.words if extractor.input else ""
    except UserError:  # the weights are gone, and the table is what is left of them
        return None
    return f"the features were extracted before weights named their input, which is: {words}" if words else None


_CHANGED: dict[str, Callable[[Any, Parameters], str | None]] = {
    "ingestion": _images_changed, "features": _features_changed,
}  # fmt: skip
