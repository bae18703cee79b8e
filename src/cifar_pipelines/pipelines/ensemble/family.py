"""The family of ensembles: one model per selected vote, named `<vote>_vote`, of the same members."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import build
from cifar_pipelines.families import INGESTION, Family, Parameters, families
from cifar_pipelines.spark.setting import ParallelismSetting

if TYPE_CHECKING:
    from cifar_pipelines.pipelines.ensemble.specification import EnsembleSpec
    from cifar_pipelines.pipelines.new_images import Predictor
    from cifar_pipelines.records.run_record import RunRecord


def selected_votes(parameters: Parameters) -> list[str]:
    """The votes of `ensemble.votes`."""
    return _spec(parameters).vote_names


def member_names(spec: "EnsembleSpec", parameters: Parameters) -> list[str]:
    """The members; the name of a family stands for all models that it selects by these parameters."""
    names: list[str] = []
    for name in spec.member_names:
        family = families().get(name)
        names += family.models(parameters) if family and family is not FAMILY and family.predictor else [name]
    return names


def _spec(parameters: Parameters) -> "EnsembleSpec":
    from cifar_pipelines.pipelines.ensemble.specification import EnsembleSpec

    return build(EnsembleSpec, parameters["ensemble"], "the block ensemble of the parameters")


def model_name(vote: str) -> str:
    """The name of an ensemble in run records and paths."""
    return f"{vote}_vote"


def depends_on(parameters: Parameters, model: str) -> dict[str, Any]:
    """The block without the other votes, and all members, with what those depend on that these parameters select."""
    names = member_names(_spec(parameters), parameters)
    block = {key: value for key, value in parameters["ensemble"].items() if key != "votes"}
    selected = {}
    for family in families().values():
        if family is FAMILY or not family.predictor:
            continue
        with suppress(UserError):  # the selection of a family that has no member may be illegal
            known = set(family.models(parameters)) & set(names)
            selected |= {name: family.depends_on(parameters, name) for name in known}
    return {"model": [model, block | {"members": names}], **({"members": selected} if selected else {})}


def check(parameters: Parameters, setting: ParallelismSetting) -> None:
    """Refuses unknown votes, what they cannot choose by, and too few members; the first node looks for these."""
    from cifar_pipelines.pipelines.ensemble.specification import too_few

    names = member_names(_spec(parameters), parameters)
    if len(set(names)) < max(2, len(names)) or not all(map(str.strip, names)):
        raise too_few(names)


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
