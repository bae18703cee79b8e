"""A saved ensemble: which saved models vote, and what each counts; it predicts new images by letting them predict."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.datasets.json_model import JsonModelDataset
from cifar_pipelines.families import families
from cifar_pipelines.pipelines.ensemble.votes import VOTES
from cifar_pipelines.pipelines.new_images import NewImages, Predictor
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.saved_models import Wanted, find_in_project, opening


@dataclass(frozen=True)
class Member:
    """A saved model that votes.

    Attributes:
        name: As the configuration named it.
        model: The name of the model.
        version: The id of the run that trained it.
        weight: What it counts; those of all members have the sum 1.
    """

    name: str
    model: str
    version: str
    weight: float


@dataclass(frozen=True)
class Ensemble:
    """Saved models and how they vote.

    Attributes:
        vote: A name of `VOTES`.
        members: The models.
    """

    vote: str
    members: tuple[Member, ...]

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Ensemble":
        """Reads what `to_json` wrote."""
        return cls(content["vote"], tuple(Member(**member) for member in content["members"]))

    def to_json(self) -> dict[str, Any]:
        """The ensemble as values that JSON can hold."""
        return asdict(self)

    @property
    def weights(self) -> dict[str, float]:
        """What each member counts, by its name."""
        return {member.name: member.weight for member in self.members}

    def combine(self, probability: np.ndarray) -> np.ndarray:
        """What the members say together.

        Args:
            probability: (members, n, classes), in the order of the members.

        Returns:
            (n, classes) float64; rows sum to one.
        """
        return VOTES[self.vote].combine(probability, np.array(list(self.weights.values())))


def open_predictor(record: RunRecord) -> Predictor:
    """Opens an ensemble with all its members; see `families.Family.predictor`."""
    with opening(record, "an ensemble") as path:
        ensemble = Ensemble.from_json(JsonModelDataset(filepath=str(path)).load().content)
    predictors = [_open_member(record.model, member) for member in ensemble.members]

    def predict(images: NewImages) -> pd.DataFrame:
        tables = [predictor(images) for predictor in predictors]
        if all(table.empty for table in tables):  # no image could be decoded
            return tables[0]
        ids, probability = _joined(tables)
        together = ensemble.combine(probability)
        return pd.DataFrame({"image_id": ids, "prediction": together.argmax(axis=1), "probability": list(together)})

    return predict


def _open_member(ensemble: str, member: Member) -> Predictor:
    try:
        record = find_in_project(Wanted(member.model, member.version))
        return families()[record.family].predictor(record)
    except UserError as error:
        raise UserError(
            f"A member of {ensemble}, {member.model} of {member.version}, cannot predict. {error}"
        ) from error


def _joined(tables: list[pd.DataFrame]) -> tuple[list[str], np.ndarray]:
    """Joins what the members say by image: the ids (n,), and probabilities (members, n, classes)."""
    by_image = [table.set_index("image_id")["probability"] for table in tables]
    ids = sorted(by_image[0].index)
    if any(sorted(one.index) != ids for one in by_image):
        raise UserError("The members saw different images, because the folder changed meanwhile. Predict again.")
    probability = np.stack([np.array(one.loc[ids].tolist(), dtype=float) for one in by_image])
    # As `check_predictions` does it with what a run has left, so that both are the same to the last digit.
    return ids, probability / probability.sum(axis=2, keepdims=True)
