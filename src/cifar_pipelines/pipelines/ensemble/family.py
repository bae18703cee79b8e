"""The family of ensembles: one model per selected vote, named `<vote>_vote`, of the same members."""

from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.options import build
from cifar_pipelines.families import INGESTION, Family, Parameters
from cifar_pipelines.spark.setting import ParallelismSetting

if TYPE_CHECKING:
    from cifar_pipelines.pipelines.new_images import Predictor
    from cifar_pipelines.records.run_record import RunRecord


def selected_votes(parameters: Parameters) -> list[str]:
    """The votes of `ensemble.votes`."""
    from cifar_pipelines.pipelines.ensemble.specification import EnsembleSpec

    return build(EnsembleSpec, parameters["ensemble"], "the block ensemble of the parameters").vote_names


def model_name(vote: str) -> str:
    """The name of an ensemble in run records and paths."""
    return f"{vote}_vote"


def depends_on(parameters: Parameters, model: str) -> dict[str, Any]:
    """The block without the other votes."""
    return {"model": [model, {key: value for key, value in parameters["ensemble"].items() if key != "votes"}]}


def check(parameters: Parameters, setting: ParallelismSetting) -> None:
    """Refuses unknown votes, what they cannot choose by, and too few members; the first node looks for these."""
    from cifar_pipelines.pipelines.ensemble.specification import EnsembleSpec

    build(EnsembleSpec, parameters["ensemble"], "the block ensemble of the parameters").require_members()


def predictor(record: "RunRecord") -> "Predictor":
    """Opens the ensemble with all its members."""
    from cifar_pipelines.pipelines.ensemble.saved import open_predictor

    return open_predictor(record)


FAMILY = Family(
    "ensemble",
    "ensembles",
    lambda parameters: [model_name(vote) for vote in selected_votes(parameters)],
    depends_on,
    check,
    needs=(INGESTION,),
    predictor=predictor,
    reads=None,
    on_request=True,
)
