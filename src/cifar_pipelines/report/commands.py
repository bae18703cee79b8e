"""The commands that a report gives for what is missing: complete, so that they go on with the same study."""

import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from cifar_pipelines.common.configuration import run_parameters, selected_names
from cifar_pipelines.common.contents import TEXT
from cifar_pipelines.common.params import params_text
from cifar_pipelines.families import INGESTION
from cifar_pipelines.report.studies import Study
from cifar_pipelines.sources import needed_parameters

CNN = "bigdl_cnn"


def run(
    study: Study, pipelines: str, more: Mapping[str, Any] = MappingProxyType({}), setting: str | None = None
) -> str:
    """The command that makes what is missing in a study; images need no setting, all else gets one that fits the host.

    Args:
        study: The study.
        pipelines: Their names, joined by commas.
        more: Further parameters.
        setting: The setting; None for the smallest of the study.
    """
    env = f" --env {setting or _fitting(study)}" if pipelines != INGESTION else ""
    batches = _batches_that_fit(study) if CNN in pipelines.split(",") else {}
    return f"kedro run --pipelines {pipelines}{env}{_parameters(study, {**batches, **more})}"


def grow(study: Study) -> str:
    """The command that trains the first CNN on twice the images with the best setting."""
    return f"kedro experiment --grow-to {2 * study.newest['train_size']}{_parameters(study)}"


def _batches_that_fit(study: Study) -> dict[str, int]:
    """Smaller batches for networks whose configured ones are larger than the study's training images."""
    block, images = run_parameters()["bigdl_cnn"], int(study.newest["train_size"])
    sizes = {
        network: block["models"][network]["recipe"]["batch_size"]
        for network in selected_names("bigdl_cnn.networks", block["networks"], "airbench+lenet")
    }
    return {f"bigdl_cnn.models.{name}.recipe.batch_size": images for name, size in sizes.items() if size > images}


def _fitting(study: Study) -> str:
    """A setting of the study, of those with the fewest cores."""
    return study.rows.sort_values(["oversubscribed", "cores", "executor_cores"]).iloc[0]["setting"]


def _parameters(study: Study, more: Mapping[str, Any] = MappingProxyType({})) -> str:
    """The options that name the environment of a study, its images or texts, and further parameters, as typed in a shell."""
    # Its newest record knows: a study that is begun anew has an environment of another name or none.
    environment = study.newest["raw"].parameters_from
    return f"{f' --params-of {shlex.quote(environment)}' if environment else ''} --params {_given_params(study, more)}"


def _given_params(study: Study, more: Mapping[str, Any]) -> str:
    data = study.newest
    given = {"source": data["source"]} | {name: int(data[name]) for name in ("train_size", "test_size", "seed")}
    given |= needed_parameters(data["source"])
    if (block := run_parameters()["data"])["source"] == data["source"]:  # a record does not say where its images lie
        given |= {"source_path": block["path"]} if block["path"] else {}
        given |= {"source_options": block["options"]} if block["options"] else {}
    if study.noun == TEXT.noun:  # the extractor of `conf/base` reads images
        given["extractor"] = next(iter(study.records["extractor"].dropna().iloc[::-1]), "tfidf")
    cut = data["raw"].data.validation or {}
    given |= {f"validation.{name}": cut[name] for name in ("share", "by", "group", "table", "column") if cut.get(name)}
    return shlex.quote(params_text(given | more))
