"""The family of learners on a stream: one model per selected learner."""

from typing import Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.families import Family, Parameters
from cifar_pipelines.pipelines.streaming.specification import stream_of
from cifar_pipelines.spark.setting import ParallelismSetting


def selected_learners(parameters: Parameters) -> list[str]:
    """The models of `streaming.selected`."""
    return list(stream_of(parameters["streaming"]).learners())


def depends_on(parameters: Parameters, model: str) -> dict[str, Any]:
    """The features, the frames, the law of blocks, and learner and options."""
    block = parameters["streaming"]
    kept = {key: block["models"][model][key] for key in ("learner", "options")}
    return {"features": parameters["features"], "model": [block["landing"], block["law"], kept]}


def check(parameters: Parameters, setting: ParallelismSetting) -> None:
    """Refuses wrong learners and options, and a folder without frames that none will come into."""
    from cifar_pipelines.streaming.journal import read_journal
    from cifar_pipelines.streaming.receiver import read_address

    stream = stream_of(parameters["streaming"])
    stream.learners()
    for address in stream.addresses:
        read_address(address)
    if not stream.addresses and not read_journal(stream.folder).producers:
        raise UserError(
            f"No frame has landed in {stream.folder}, and streaming.servers names no server to receive from. Start `kedro stream serve`, "
            "and name its address: --params streaming.servers=127.0.0.1:6100"
        )


FAMILY = Family(
    "streaming", "learners on a stream", selected_learners, depends_on, check, needs=("ingestion", "features"),
    only=lambda parameters, model: {"streaming.selected": model}, on_request=True,
)  # fmt: skip
