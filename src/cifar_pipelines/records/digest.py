"""The digest of what a result depends on, by which a run record is found again."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cifar_pipelines.families import families

IMAGES = ("data", "subset", "ingestion")  # the blocks of parameters that decide which images there are


def study_digest(parameters: Mapping[str, Any], family: str, model: str, master: str) -> str:
    """Names everything in the configuration that one model's result depends on, the setting apart.

    Args:
        parameters: All parameters of the run.
        family: The family of the model.
        model: Name of the model.
        master: "embedded", or the address of the Master.

    Returns:
        16 hexadecimal digits.
    """
    blocks = {name: parameters[name] for name in IMAGES} | families()[family].depends_on(parameters, model)
    # Options of a source count only where there are some: a digest is older than they are.
    blocks["data"] = {key: value for key, value in blocks["data"].items() if key != "options" or value}
    if parameters.get("validation", {}).get("share"):  # likewise
        blocks["validation"] = parameters["validation"]
    return short_digest([blocks, family, model, master], 16)


def short_digest(content: Any, digits: int) -> str:
    """So many hexadecimal digits that stand for the content, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
