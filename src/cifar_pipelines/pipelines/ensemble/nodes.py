"""Nodes of the ensemble pipeline."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cifar_pipelines.common.lazy_types import DataFrame
from cifar_pipelines.datasets.json_model import SavedJson
from cifar_pipelines.judging.statistics import count_pairs, holm, mcnemar_p
from cifar_pipelines.pipelines.ensemble.choosing import make_choosing, predict_held_out
from cifar_pipelines.pipelines.ensemble.family import member_names, model_name
from cifar_pipelines.pipelines.ensemble.members import UNKNOWN, Joined, find_members, join
from cifar_pipelines.pipelines.ensemble.saved import Ensemble, Member
from cifar_pipelines.pipelines.ensemble.specification import CROSS_FIT, OUT_OF_FOLD, VALIDATION, EnsembleSpec
from cifar_pipelines.pipelines.ensemble.votes import VOTES, Choosing
from cifar_pipelines.pipelines.further_predictions import further_splits, further_tables, no_further
from cifar_pipelines.records.model_report import FitReport, ModelReport, PredictionReport
from cifar_pipelines.records.parts import Timings
from cifar_pipelines.records.provenance import untyped
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.saved_predictions import read_predictions

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Members:
    """The members and what they say.

    Attributes:
        spec: The ensemble.
        seed: Decides folds.
        names: As the configuration names them.
        models: The names of these models.
        versions: The ids of the runs that trained them.
        judged: Their predictions of the images that models are judged on.
        choosing: Their predictions of the images that weights are chosen by; None where no vote chooses.
        further: Their predictions of the images that no model is judged on, with the column `split`, by member; None where
            there are no such images.
    """

    spec: EnsembleSpec
    seed: int
    names: tuple[str, ...]
    models: tuple[str, ...]
    versions: tuple[str, ...]
    judged: Joined
    choosing: Joined | None
    further: Joined | None


def open_members(
    ensemble: EnsembleSpec,
    parameters: dict[str, Any],
    images_info: dict[str, Any],
    seed: int,
    run_records: dict[str, Any],
    models_folder: Path,
    outputs_folder: Path,
    features_folder: Path,
    *announced: dict[str, Any],
) -> Members:
    """Finds the members and joins what their runs have predicted, before any Spark process starts.

    Args:
        ensemble: Who votes, and how.
        parameters: All parameters, by which families have selected models.
        images_info: The description of the image table.
        seed: Decides folds.
        run_records: All run records.
        models_folder: The folder of all saved models.
        outputs_folder: The folder of all outputs of models.
        features_folder: The folder of all feature tables.
        *announced: What families announce, so that members which the same run trains are there first.

    Raises:
        UserError: If a member or something that it predicted is missing.
    """
    records = find_members(member_names(ensemble, untyped(parameters)), run_records, models_folder, images_info)
    judged = {name: read_predictions(record, outputs_folder, "predictions") for name, record in records.items()}
    joined = join(judged, images_info["class_names"], "the images that models are judged on")
    choosing = make_choosing(records, joined, ensemble, images_info, outputs_folder, features_folder, seed)
    further = _join_further(records, outputs_folder, images_info) if further_splits(images_info) else None
    models, versions = zip(*((record.model, record.run_id) for record in records.values()), strict=True)
    return Members(ensemble, seed, tuple(records), models, versions, joined, choosing, further)


def _join_further(records: dict[str, RunRecord], outputs: Path, images_info: dict[str, Any]) -> Joined:
    tables = {name: read_predictions(record, outputs, "further_predictions") for name, record in records.items()}
    return join(tables, images_info["class_names"], "images that no model is judged on")


def choose_weights(vote: str, members: Members) -> tuple[dict[str, Any], FitReport]:
    """Chooses the weights of the members, and times it.

    Returns:
        The `Ensemble` as values that JSON can hold, and what choosing cost.
    """
    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import timed

    choose = VOTES[vote].choose
    with (
        timed(active_session(), f"Choosing the weights of {model_name(vote)}", show_progress=False) as timing,
        timing.repeat(),
    ):
        if choose is None:
            weights = np.full(len(members.names), 1 / len(members.names))
        else:
            weights = choose(Choosing(members.choosing.probability, members.choosing.label, members.spec.rounds))
    rounded = [round(float(weight), 6) for weight in weights]
    parts = zip(members.names, members.models, members.versions, rounded, strict=True)
    ensemble = Ensemble(vote, tuple(Member(*part) for part in parts))
    logger.info(
        "%s: %s.", model_name(vote), ", ".join(f"{name} {weight:.2f}" for name, weight in ensemble.weights.items())
    )
    seconds = tuple(max(one, 0.001) for one in timing.seconds)  # records hold milliseconds, and none of zero
    return ensemble.to_json(), FitReport.of(timing, Timings(fit_s=seconds))


def let_vote(members: Members, saved: SavedJson) -> tuple[pd.DataFrame, PredictionReport]:
    """Makes the predictions table of the ensemble.

    Returns:
        The table (`image_id`, `label`, `prediction`, `probability`), sorted by `image_id`, and what the vote cost: the
        members had predicted before.
    """
    from cifar_pipelines.spark.session import active_session
    from cifar_pipelines.spark.timing import timed

    ensemble = Ensemble.from_json(saved.content)
    label = f"Voting of {model_name(ensemble.vote)}"
    with timed(active_session(), label, show_progress=False) as timing, timing.repeat():
        table = vote_on_judged(ensemble, members)
    source = "votes of the members" if VOTES[ensemble.vote].hard else "mean of the members' probabilities"
    path = os.path.relpath(saved.path)
    return table, PredictionReport(timing.seconds, source, parameter_count=len(ensemble.members), model_path=path)


def vote_on_judged(ensemble: Ensemble, members: Members) -> pd.DataFrame:
    """The predictions table of the images that models are judged on, none of which had a say in the weights of its own vote."""
    vote = VOTES[ensemble.vote]
    if vote.choose and members.spec.choose_on == CROSS_FIT:
        return _as_table(members.judged, predict_held_out(vote, members.judged, members.spec, members.seed))
    return _table(ensemble, members.judged)


def let_vote_further(
    members: Members, saved: SavedJson, images: DataFrame, images_info: dict[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Makes the tables of all other images that were not learned from, none of which had a say in the weights of its own vote.

    See `further_tables`.
    """
    if members.further is None:
        return no_further()
    ensemble, spec = Ensemble.from_json(saved.content), members.spec
    table, vote = _table(ensemble, members.further), VOTES[ensemble.vote]
    if vote.choose and spec.choose_on == VALIDATION:
        # They have chosen the weights: each is voted on with those that the other folds chose.
        held_out = _as_table(members.choosing, predict_held_out(vote, members.choosing, spec, members.seed))
        others = table[~table["image_id"].isin(held_out["image_id"])]
        table = pd.concat([others, held_out]).sort_values("image_id", ignore_index=True)
    return further_tables(table, images, images_info)


def _table(ensemble: Ensemble, joined: Joined) -> pd.DataFrame:
    return _as_table(joined, ensemble.combine(joined.probability))


def _as_table(joined: Joined, probability: np.ndarray) -> pd.DataFrame:
    known = joined.label != UNKNOWN
    label = joined.label if known.all() else pd.Series(joined.label, dtype="Int64").where(known)
    columns = {"image_id": joined.image_id, "label": label, "prediction": probability.argmax(axis=1)}
    return pd.DataFrame(columns | {"probability": list(probability)})


def compare_with_members(vote: str, predictions: pd.DataFrame, members: Members) -> dict[str, Any]:
    """Tests the ensemble against each member on the same images, with McNemar's test and Holm's correction.

    Returns:
        What `_compared` returns of the images that models are judged on, and
        `chosen_on`: the same of the images that weights are chosen by, each predicted with weights that others chose; None
        where no vote chooses, and where these are the images that models are judged on.
    """
    joined = members.judged
    named = predictions.set_index("image_id").loc[joined.image_id, "prediction"].to_numpy()
    found = _compared(vote, named, joined, members, "the images that models are judged on")
    if members.choosing is None or members.spec.choose_on == CROSS_FIT:
        return found | {"chosen_on": None}
    held_out = predict_held_out(VOTES[vote], members.choosing, members.spec, members.seed).argmax(axis=1)
    what = {VALIDATION: "validation images", OUT_OF_FOLD: "training images, out of fold"}[members.spec.choose_on]
    return found | {"chosen_on": _compared(vote, held_out, members.choosing, members, what) | {"images": what}}


def _compared(vote: str, named: np.ndarray, joined: Joined, members: Members, what: str) -> dict[str, Any]:
    """Compares the classes that an ensemble names with those of its members.

    Returns:
        `n` images and `accuracy` of the ensemble, and `members`: dicts with `member`, `version`, `accuracy`, `difference`,
        `only_ensemble` and `only_member` (images that only one of both got right), `p` and `p_holm`; the best first.
    """
    right = named == joined.label
    pairs = [count_pairs(right, one.argmax(axis=1) == joined.label) for one in joined.probability]
    p = [mcnemar_p(counts) for counts in pairs]
    rows = [
        {
            "member": name,
            "version": version,
            "accuracy": (counts.both + counts.only_second) / counts.n,
            "difference": counts.difference,
            "only_ensemble": counts.only_first,
            "only_member": counts.only_second,
            "p": raw,
            "p_holm": float(adjusted),
        }
        for name, version, counts, raw, adjusted in zip(members.names, members.versions, pairs, p, holm(p), strict=True)
    ]
    rows.sort(key=lambda row: -row["accuracy"])
    best = rows[0]
    logger.info(
        "%s gets %.1f %% of %d right (%s), the best member (%s) %.1f %%; McNemar's p, adjusted for %d members, is %.3g.",
        model_name(vote), 100 * right.mean(), len(right), what, best["member"], 100 * best["accuracy"], len(rows),
        best["p_holm"],
    )  # fmt: skip
    return {"n": len(right), "accuracy": float(right.mean()), "members": rows}


def describe_ensemble(
    members: Members, saved: SavedJson, fit_report: FitReport, predict_report: PredictionReport
) -> ModelReport:
    """Gathers what the run record says of this model."""
    ensemble = Ensemble.from_json(saved.content)
    vote = VOTES[ensemble.vote]
    versions = {member.name: member.version for member in ensemble.members}
    return ModelReport(
        model=model_name(ensemble.vote),
        family="ensemble",
        engine="votes, NumPy",
        params={
            "members": versions,
            "weights": ensemble.weights,
            "chosen_on": members.spec.choose_on if vote.choose else None,
        },
        fit=fit_report,
        prediction=predict_report,
        justification=vote.words,
    )
