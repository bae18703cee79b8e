"""The family of learners on a stream: one model per selected learner."""

from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.families import Family, Parameters
from cifar_pipelines.pipelines.features import family as features
from cifar_pipelines.pipelines.streaming.specification import images_text, stream_of
from cifar_pipelines.spark.setting import ParallelismSetting

if TYPE_CHECKING:
    from cifar_pipelines.pipelines.new_images import Predictor
    from cifar_pipelines.records.run_record import RunRecord


def selected_learners(parameters: Parameters) -> list[str]:
    """The models of `streaming.selected`."""
    return list(stream_of(parameters["streaming"]).learners())


def depends_on(parameters: Parameters, model: str) -> dict[str, Any]:
    """The features, the frames, the law of blocks, and learner and options.

    What a run itself serves are the images that its other parameters say. Of others nothing is known before they land.
    """
    from cifar_pipelines.streaming.journal import read_journal

    block = parameters["streaming"]
    kept = {key: block["models"][model][key] for key in ("learner", "options")}
    # Only where there is one: digests of models that had none stay as they are.
    kept |= {"augmentation": block["augmentation"]} if block.get("augmentation") else {}
    landed = {} if block.get("serve") is not None else read_journal(PROJECT_PATH / block["landing"]).facts()
    kept |= {"stream": landed} if landed else {}
    return features.depends_on(parameters, model) | {"model": [block["landing"], block["law"], kept]}


def check(parameters: Parameters, setting: ParallelismSetting) -> None:
    """Refuses wrong learners, options and addresses."""
    from cifar_pipelines.streaming.receiver import read_address

    stream = stream_of(parameters["streaming"])
    stream.learners()
    if stream.serve is not None:
        images_text()  # which refuses what its server cannot be told
    for address in stream.addresses:
        read_address(address)


def predictor(record: "RunRecord") -> "Predictor":
    """Opens the learner with its extractor and that one's state."""
    from cifar_pipelines.pipelines.streaming.saved import open_predictor

    return open_predictor(record)


FAMILY = Family(
    "streaming",
    "learners on a stream",
    selected_learners,
    depends_on,
    check,
    needs=("ingestion", "features"),
    predictor=predictor,
    predicts_validation=False,
    on_request=True,
)
