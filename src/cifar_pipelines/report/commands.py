"""The commands that a report gives for what is missing: complete, so that they go on with the same study."""

import shlex
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import pandas as pd

from cifar_pipelines.common.configuration import run_parameters, selected_names
from cifar_pipelines.common.contents import TEXT
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.params import params_text
from cifar_pipelines.extractors import create_extractor
from cifar_pipelines.families import INGESTION, families, family_names, is_on_request
from cifar_pipelines.records.parts import Features
from cifar_pipelines.report.studies import Study
from cifar_pipelines.sources import needed_parameters
from cifar_pipelines.spark.spark_config import EMBEDDED

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


def run_again(study: Study, record: pd.Series) -> str:
    """The command that runs the models of a record's family again, as that record was made."""
    return run(study, record["family"], _extractor(record["raw"].features), record["setting"])


def grow(study: Study) -> str:
    """The command that trains the first CNN on twice the images with the best of the study's settings."""
    settings = ",".join(sorted(set(study.rows["setting"])))
    trained = {CNN, *(name for name in study.families() if name in families())}
    needed = trained.union(*(families()[name].needs for name in trained))
    pipelines = [name for name in (INGESTION, *family_names()) if name in needed and not is_on_request(name)]
    options = f"--settings {settings} --pipelines {','.join(pipelines)} --grow-to {2 * study.newest['train_size']}"
    return f"kedro experiment {options}{_parameters(study)}"


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


def _extractor(features: Features | None) -> dict[str, Any]:
    """The extractor of features and its size, where they are not those of the configuration."""
    if features is None or features.extractor is None:
        return {}
    block = run_parameters()["features"]
    same = features.extractor == block["extractor"]
    size = block["input_size"] if same else None
    with suppress(UserError):  # one whose file is gone
        size = size or create_extractor(features.extractor).input_size
    given = {} if same else {"extractor": features.extractor}
    return given if features.input_size in (size, None) else given | {"input_size": features.input_size}


def _given_params(study: Study, more: Mapping[str, Any]) -> str:
    data = study.newest
    given = {"source": data["source"]} | {name: int(data[name]) for name in ("train_size", "test_size", "seed")}
    given |= needed_parameters(data["source"])
    if (block := run_parameters()["data"])["source"] == data["source"]:  # a record does not say where its images lie
        given |= {"source_path": block["path"]} if block["path"] else {}
        given |= {"source_options": block["options"]} if block["options"] else {}
    known = [record.features for record in reversed(list(study.records["raw"])) if record.features]
    if study.noun == TEXT.noun and not known:  # the extractor of `conf/base` reads images
        given["extractor"] = "tfidf"
    given |= _extractor(known[0]) if known else {}
    if (master := data["raw"].parallelism.cluster) != EMBEDDED:
        given["spark_master"] = master
    cut = data["raw"].data.validation or {}
    given |= {f"validation.{name}": cut[name] for name in ("share", "by", "group", "table", "column") if cut.get(name)}
    return shlex.quote(params_text(given | more))
