"""What a result depends on: the digest by which a run record is found again."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cifar_pipelines.engines import engine_names

FEATURES, SPARK_ML, BIGDL_CNN = "features", "spark_ml", "bigdl_cnn"


def study_digest(parameters: Mapping[str, Any], pipeline: str, model: str, master: str) -> str:
    """Names everything in the configuration that one model's result depends on, the setting apart.

    Args:
        parameters: All parameters of the run.
        pipeline: The pipeline that makes the model: "features", "spark_ml" or "bigdl_cnn".
        model: Name of the model: an extractor, a classifier, or `<network>_<engine>`.
        master: "embedded", or the address of the Master.

    Returns:
        16 hexadecimal digits.
    """
    blocks: dict[str, Any] = {name: parameters[name] for name in ("data", "subset", "ingestion")}
    # Options of a source count only where there are some: a digest is older than they are.
    blocks["data"] = {key: value for key, value in blocks["data"].items() if key != "options" or value}
    if pipeline in (FEATURES, SPARK_ML):
        blocks["features"] = parameters["features"]
    if pipeline == SPARK_ML:
        block = parameters["spark_ml"]
        blocks["model"] = [block["repeats"], block["classifiers"][model]["params"]]
    if pipeline == BIGDL_CNN:
        block = parameters["bigdl_cnn"]
        # Equality, because the name of one network may begin with that of another.
        network = next(
            name for name in block["models"] if model in [f"{name}_{engine}" for engine in engine_names()]
        )
        kept = {key: block["models"][network][key] for key in ("options", "recipe")}
        blocks["model"] = [block["image_size"], block["validation_images"], kept]
    text = json.dumps([blocks, pipeline, model, master], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def pipeline_of(family: str) -> str:
    """The pipeline whose models have that family in their run records."""
    return {"feature_extraction": FEATURES, "cnn": BIGDL_CNN}.get(family, family)
