"""Which model is the most accurate, and from which others it cannot be told apart."""

import pandas as pd

from cifar_pipelines.common.words import counted
from cifar_pipelines.judging.pairs import MOST_MODELS, Pair, compare_pairs
from cifar_pipelines.records.ranking import fastest_of_each_model, guesses, told_apart


def interval(row: pd.Series) -> str:
    """Writes an accuracy with its interval, in per cent."""
    return f"{row['accuracy']:.1%} ({row['accuracy_low']:.1%} to {row['accuracy_high']:.1%})"


def scored(row: pd.Series) -> str:
    """Writes an accuracy with its interval, and that it is no better than guessing."""
    return f"{interval(row)}, no better than guessing ({row['chance']:.1%})" if guesses(row) else interval(row)


def listed(names: list[str]) -> str:
    """Joins names into a list of words."""
    return names[0] if len(names) == 1 else f"{'; '.join(names[:-1])} and {names[-1]}"


def p_value(p: float) -> str:
    """Writes p, as a bound where more digits would say nothing."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def most_accurate(models: pd.DataFrame) -> str:
    """Says which model is the most accurate.

    A pair is a tie when the exact McNemar test on the same images, adjusted by Holm over all pairs, does not
    show a difference. Where a pair cannot be tested, it is a tie when the two intervals overlap.

    Args:
        models: Rows of trained models of one section of a summary; not empty.
    """
    ranking = fastest_of_each_model(models)
    best, others = ranking.iloc[0], ranking.iloc[1:]
    text = [
        f"{best['label']} has the highest accuracy: {interval(best)}, {best['confidence']:.0%} Wilson interval, "
        f"{_judged(best)}."
    ]
    if guesses(best):
        text.append(f"That is not shown to be better than guessing, which has {best['chance']:.1%}.")
    if others.empty:
        text.append("No other model was trained.")
    tested, untested = compare_pairs(ranking)
    pairs = {pair.second: pair for pair in tested if pair.first == best["label"]}
    reasons = {pair.second: pair.reason for pair in untested if pair.first == best["label"]}
    in_pairs = others["label"].isin(list(pairs))
    if in_pairs.any():
        text += _by_pairs(best, others[in_pairs], pairs, alone=in_pairs.all())
    if not in_pairs.all():
        text += _by_intervals(best, others[~in_pairs], reasons)
    ranges = models.groupby("label")["accuracy"].agg(["min", "max"])
    for label, low, high in ranges[ranges["max"] > ranges["min"]].itertuples():
        text.append(f"The accuracy of {label} ranges from {low:.1%} to {high:.1%} over the settings.")
    return " ".join(text)


def _by_pairs(best: pd.Series, others: pd.DataFrame, pairs: dict[str, Pair], alone: bool) -> list[str]:
    """Compares the most accurate model with those that were tested against it; `alone` when these are all."""
    differs = others.apply(lambda other: told_apart(best, other, pairs[other["label"]]), axis=1)
    different, tied = others[differs], others[~differs]
    if tied.empty:
        whom = "every other model" if alone else listed(different["label"].tolist())
        return [
            f"It differs from {whom} on the same {best['judged_on']}s (exact McNemar tests with Holm's correction); the next "
            f"is {_with_p(different, pairs)[0]}."
        ]
    text = [
        f"A tie: not distinguishable with {_judged(best)} from {listed(_with_p(tied, pairs))}, by exact McNemar "
        f"tests on the same {best['content']}s with Holm's correction."
    ]
    if not different.empty:
        text.append(f"It differs from {listed(different['label'].tolist())} by the same tests.")
    return text


def _with_p(rows: pd.DataFrame, pairs: dict[str, Pair]) -> list[str]:
    """Names models with their accuracy and the p of their test against the most accurate one."""
    return [f"{row['label']}, {interval(row)}, {p_value(pairs[row['label']].p_holm)}" for _, row in rows.iterrows()]


def _by_intervals(best: pd.Series, others: pd.DataFrame, reasons: dict[str, str]) -> list[str]:
    """Compares the most accurate model with those that cannot be tested against it."""
    beyond = f"only the {MOST_MODELS} most accurate models are tested"
    why = dict.fromkeys(reasons.get(label, beyond) for label in others["label"])
    text = [
        f"Intervals decide about {counted(len(others), 'model')}, because a paired test with it is not possible: {'; '.join(why)}."
    ]
    tied = others[~others.apply(lambda other: told_apart(best, other, None), axis=1)]
    named = [f"{row['label']}, {interval(row)}" for _, row in (others if tied.empty else tied).iterrows()]
    if tied.empty:
        text.append(f"No interval of theirs overlaps it; the next is {named[0]}.")
    else:
        text.append(
            f"A tie: not distinguishable with {_judged(best)} from {listed(named)}, because "
            f"the intervals overlap. This rule is conservative: a paired test on the same {best['content']}s can tell models "
            "apart whose intervals overlap."
        )
    return text


def _judged(row: pd.Series) -> str:
    """How many images or texts a model was judged on."""
    return counted(int(row["test_images"]), row["judged_on"])
