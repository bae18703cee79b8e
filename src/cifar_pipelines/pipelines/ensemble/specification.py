"""An ensemble as the configuration wants it."""

from dataclasses import dataclass

from cifar_pipelines.common.configuration import selected_names
from cifar_pipelines.common.errors import UserError, unknown_name
from cifar_pipelines.common.options import whole
from cifar_pipelines.pipelines.ensemble.out_of_fold import LEAST_FOLDS
from cifar_pipelines.pipelines.ensemble.votes import VOTES

VALIDATION, OUT_OF_FOLD, CROSS_FIT = CHOOSE_ON = ("validation", "out_of_fold", "cross_fit")


@dataclass(frozen=True)
class EnsembleSpec:
    """Who votes, and how.

    Attributes:
        members: Saved models, as `kedro predict` names them; a version may follow after "@". The name of a family stands for
            all models that it selects.
        votes: Names of `VOTES`.
        choose_on: By what weights are chosen: "validation" images, "out_of_fold" predictions of the training images, or
            "cross_fit": each fold of the images that models are judged on is voted on with weights that the other folds chose.
        folds: Folds of the latter two.
        rounds: Members that the greedy vote takes, with repetition.
    """

    members: list[str] | str
    votes: list[str] | str
    choose_on: str
    folds: int
    rounds: int

    def __post_init__(self) -> None:
        for name in self.vote_names:
            if name not in VOTES:
                raise unknown_name("vote", name, VOTES)
        if self.choose_on not in CHOOSE_ON:
            raise UserError(
                f"ensemble.choose_on is {self.choose_on!r}, but must be {VALIDATION!r}, {OUT_OF_FOLD!r} or {CROSS_FIT!r}: no weight is "
                "ever chosen on the images that it is judged on."
            )
        whole("ensemble.folds", self.folds, LEAST_FOLDS)
        whole("ensemble.rounds", self.rounds, 1)

    @property
    def vote_names(self) -> list[str]:
        """The votes."""
        return selected_names("ensemble.votes", self.votes, "soft+weighted")

    @property
    def member_names(self) -> list[str]:
        """The members as they are named; none where the configuration names none."""
        return self.members.split("+") if isinstance(self.members, str) else list(self.members)

    @property
    def chooses(self) -> bool:
        """Whether a vote needs images to choose its weights by."""
        return any(VOTES[name].choose for name in self.vote_names)


def too_few(names: list[str]) -> UserError:
    """The error to raise where names are not those of several models."""
    return UserError(
        f"ensemble.members is {names!r}, but must name two saved models or more, each once, such as "
        "--params ensemble.members=logistic_regression+airbench_bigdl; a version may follow after @, and the name of a family, such as "
        "transfer, stands for all models that it selects."
    )
