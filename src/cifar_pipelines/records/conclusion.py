"""What a study came to, in three sentences and a few cautions: a terminal and page 1 of the report give the same."""

from typing import NamedTuple

import pandas as pd

from cifar_pipelines.common.words import counted, in_seconds, some
from cifar_pipelines.judging.pairs import compare_pairs
from cifar_pipelines.records.parts import Data
from cifar_pipelines.records.ranking import (
    TIE_WITHOUT_REPEATS,
    fastest_of_each_model,
    guesses,
    time_tie,
    told_apart,
    totals_by_setting,
)
from cifar_pipelines.records.summary import BUSY_HOST, put_together, trained

MOST_CAUTIONS = 4  # that are told at once; the report has all of them in full
MOST_NAMED = 3  # models or settings in a caution
NO_CAUTION = "Every time was measured several times on a quiet host."


class Conclusion(NamedTuple):
    """A sentence: the result, and what belongs to it."""

    result: str
    rest: str

    @property
    def text(self) -> str:
        """The whole sentence."""
        return self.result + self.rest


def best_model(models: pd.DataFrame) -> Conclusion:
    """Says which model is the most accurate and what comes next, by the runs and the tests of the report.

    Args:
        models: Rows of trained models of one study; not empty.
    """
    ranking = fastest_of_each_model(models)
    best = ranking.iloc[0]
    text = (
        f": it is right on {best['accuracy']:.1%} of {counted(int(best['test_images']), best['judged_on'])} "
        f"(95 % interval {best['accuracy_low']:.1%} to {best['accuracy_high']:.1%}), guessing on {best['chance']:.1%}"
    )
    if len(ranking) > 1:
        second = ranking.iloc[1]
        pairs = {(pair.first, pair.second): pair for pair in compare_pairs(ranking)[0]}
        apart = told_apart(best, second, pairs.get((best["label"], second["label"])))
        how = "more than chance explains" if apart else "a difference that chance may explain"
        text += f"; next comes {second['label']} with {second['accuracy']:.1%}, {how}"
    return Conclusion(f"The best model is {best['label']}", f"{text}.")


def measured_everywhere(models: pd.DataFrame) -> pd.DataFrame:
    """The rows of the models that were measured under every setting of the study; none where it has one setting."""
    settings = models["setting"].nunique()
    if settings < 2:
        return models.iloc[:0]
    return models.groupby("label").filter(lambda one: one["setting"].nunique() == settings)


def best_setting(models: pd.DataFrame) -> Conclusion:
    """Says which setting trains those models fastest together that were measured under all of them, and what is a tie with it.

    Totals are told, and not the best model alone, which often is measured under one setting.

    Args:
        models: Rows of trained models of one study; not empty.
    """
    everywhere = measured_everywhere(models)
    if everywhere.empty:
        names = sorted(models["setting"].unique())
        why = (
            f"all was measured under {names[0]} alone"
            if len(names) == 1
            else f"no model was measured under all {len(names)}"
        )
        return Conclusion("No setting is the best", f", because {why}.")
    totals = totals_by_setting(everywhere)
    fastest, rest = totals.iloc[0], totals.iloc[1:]
    others = ", ".join(f"{row['setting']} {in_seconds(row['time_s'])}" for _, row in rest.iterrows())
    tied = [row["setting"] for _, row in rest.iterrows() if time_tie(fastest, row)]
    tie = f" With {' and '.join(tied)} that is a tie." if tied else ""
    what = counted(everywhere["label"].nunique(), "model")
    those = f"the {what} measured under all settings {'trains' if what == '1 model' else 'train'}"
    return Conclusion(
        f"The best setting is {fastest['setting']}",
        f": {those} in {in_seconds(fastest['time_s'])} there, {others}.{tie}",
    )


def cautions(rows: pd.DataFrame, data: Data | None = None) -> list[str]:
    """What makes the results doubtful, in a few words each, without a full stop, the most serious first.

    Args:
        rows: The rows of one study.
        data: Its images or texts; None where nothing is known of them.
    """
    return [*_of_data(data), *_of_models(rows), *_of_times(rows)]


def _of_data(data: Data | None) -> list[str]:
    if data is None:
        return []
    said = []
    for pair, number in data.copies.items():
        split, _, other = pair.split()
        is_in = "is also in" if number == 1 else "are also in"
        said.append(f"{counted(number, data.noun)} of the split {split} {is_in} the split {other}")
    if untested := data.classes_without_test_images:
        said.append(
            f"no {data.judged_on} shows {some(untested, MOST_NAMED, 'class', 'classes')}, which lowers macro averages"
        )
    return said


def _of_models(rows: pd.DataFrame) -> list[str]:
    latest = fastest_of_each_model(trained(rows))
    guessing = [row["label"] for _, row in latest.iterrows() if guesses(row)]
    return [f"not shown to be better than guessing: {some(guessing, MOST_NAMED, 'model')}"] if guessing else []


def _of_times(rows: pd.DataFrame) -> list[str]:
    said = []
    if (single := int((rows["timings"] == 1).sum())) > 0:
        times = "times were" if single == len(rows) else f"{single} of {len(rows)} times were"
        said.append(
            f"{times} measured once, so differences below {TIE_WITHOUT_REPEATS:.0%} prove nothing (kedro experiment --repeats 3, with "
            "the same options, measures more)"
        )
    if rows["oversubscribed"].any():
        said.append("settings with more cores than this host say nothing about a cluster")
    if rows["busy_runs"].any():
        said.append(f"other programs took more than {BUSY_HOST:.0%} of the processor meanwhile, so times are noisy")
    if (rows["cores"] < rows["asked_cores"]).any():
        said.append("the cluster granted fewer cores than were asked for")
    if put_together(rows).any():
        said.append("a training was resumed or restarted, so its time is put together from parts")
    if ((rows["timings"] > 1) & (rows["time_min_s"] == rows["time_max_s"])).any():
        said.append("repeats that took exactly as long are no proof of a spread of 0")
    return said
