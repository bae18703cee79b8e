"""A small experiment, and run records of its models on disk."""

import json

from tests.factories.records import make_extraction_record, make_record

from cifar_pipelines.experiment.plan import Experiment, Step

PIPELINES = ("ingestion", "features", "spark_ml", "bigdl_cnn")
STEP = Step("exec_1x1", ("ingestion",), "", "images")
EXPERIMENT = Experiment(("exec_1x1", "exec_2x2"), PIPELINES, 2, "train_size=60")


def record(model, family, digest, fit_s, accuracy=0.5, margin=0.05, setting=(1, 1)):
    """The record of a run, as JSON; an extraction where nothing is fitted."""
    if family == "features":
        return make_extraction_record(setting, model=model, configuration=digest)
    score = {"value": accuracy, "low": accuracy - margin, "high": accuracy + margin}
    return make_record(model, setting, fit_s, family=family, configuration=digest, metrics={"accuracy": score})


def shelve(folder, setting, content, version):
    name = content["model"].replace(":", "-")
    file = folder / setting / f"{name}.json" / version / f"{name}.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(content))
