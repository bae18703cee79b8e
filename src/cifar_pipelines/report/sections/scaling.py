"""The section on models of scaling: what they found, and what it means."""

from math import isclose, sqrt

import pandas as pd

from cifar_pipelines.common.words import counted, in_seconds
from cifar_pipelines.records.speedup import under_several_settings
from cifar_pipelines.records.summary import trained
from cifar_pipelines.report.document.blocks import Section, Words, bullets, emphasis, say, spans, strong, table
from cifar_pipelines.report.sections.cells import behind
from cifar_pipelines.scaling.fit import ScalingFit
from cifar_pipelines.scaling.nonnegative import Estimate
from cifar_pipelines.scaling.points import scaling_fits

# Shares closer than this to nothing or to everything are written as such.
NEXT_TO_NOTHING = 0.005
MOST_CORES = 1024
_SHARES = ("s", "alpha")
_RATIOS = ("sigma", "kappa")


def scaling(rows: pd.DataFrame, summary: pd.DataFrame) -> Section | None:
    """Says what the models of scaling found for every model of a study.

    Args:
        rows: The rows of the study; without a model that was trained under several settings there is no section.
        summary: All rows of the comparison table: some models use other numbers of images.
    """
    if under_several_settings(trained(rows)).empty:
        return None
    found = list(scaling_fits(summary, rows))
    if not found:
        return None
    fitted = [(label, fit) for label, fits in found for fit in fits if fit.reason is None]
    lines = [[*_line(label, fit), behind(rows[rows["label"] == label])] for label, fit in fitted]
    sentences: list[Words] = [spans(strong(label), f", {fit.model}: {says(fit)}") for label, fit in fitted]
    several = set(under_several_settings(rows)["label"])
    alone = [label for label, fits in found if label not in several and all(fit.reason is not None for fit in fits)]
    sentences += _not_identifiable([(label, fits) for label, fits in found if label not in alone])
    if alone:
        sentences.append(f"Measured under one setting alone, which identifies no model of scaling: {', '.join(alone)}.")
    sentences += [sentence for label, fits in found for sentence in _left_out(label, fits)]
    shown = (table(HEADER, lines),) if fitted else ()
    return Section("scaling", "Scaling", (say(INTRODUCTION), *shown, bullets(sentences)))


INTRODUCTION = spans(
    "Models fitted to the median fit times. ",
    emphasis("Error"),
    " is that of each time predicted from all others, median and worst, "
    "where the others identify the model. Intervals are 95 %, by the covariance of the fit. The models know cores, not "
    "executors: settings with the same cores count as measurements of the same.",
)
HEADER = ("model", "scaling model", "parameters", "error", "records")


def says(fit: ScalingFit) -> str:
    """Says in a plain sentence what a model of scaling found, or why it found nothing."""
    if fit.reason is not None:
        return f"Not identifiable. {fit.reason}"
    sentence = _SENTENCES[fit.model](fit)
    if any(estimate.low is None for estimate in fit.parameters.values()):
        sentence += " There are no more points than parameters, so it is unknown how sure this is."
    elif any(_covers_everything(name, estimate) for name, estimate in fit.parameters.items()):
        sentence += " The interval holds every possible value, so the points settle nothing."
    return sentence


def _amdahl(fit: ScalingFit) -> str:
    share = fit.parameters["s"].value
    if share < NEXT_TO_NOTHING:
        return "All of the time shrinks with cores as far as these points show, so they set no limit."
    if share > 1 - NEXT_TO_NOTHING:
        return "None of the time shrinks with cores, so more cores do not make it faster."
    return (
        f"{share:.0%} of the time does not shrink with cores, so at most {1 / share:.1f} times faster "
        "however many cores."
    )


def _usl(fit: ScalingFit) -> str:
    sigma, kappa = fit.parameters["sigma"].value, fit.parameters["kappa"].value
    if kappa > 1e-9:
        peak = max(round(sqrt(max(1 - sigma, 0) / kappa)), 1)
        most = max(point.cores for point in fit.points)
        beyond = f", which is beyond the {most} that were measured" if peak > most else ""
        return f"Cores wait for each other, so it is fastest with about {peak:,} cores{beyond}, and slower with more."
    if sigma > NEXT_TO_NOTHING:
        return (
            f"No cost of cores agreeing with each other is seen; {sigma:.0%} of the work waits in line, so at most "
            f"{max(1 / sigma, 1):.1f} times faster however many cores."
        )
    return "The time falls in proportion to cores as far as these points show."


def _ernest(fit: ScalingFit) -> str:
    largest = max(fit.points, key=lambda point: (point.cores, point.train_size))
    smallest = min(point.train_size for point in fit.points)
    fixed = fit.parameters["a"].value
    shared = fit.parameters["b"].value * largest.train_size / smallest / largest.cores
    total = fit.predict(largest.cores, largest.train_size).value
    times = {m: fit.predict(m, largest.train_size).value for m in range(1, MOST_CORES + 1)}
    best = min(times, key=times.get)
    fastest = (
        "more cores always help"
        if best == MOST_CORES
        else f"about {counted(best, 'core')} {'is' if best == 1 else 'are'} fastest"
    )
    if isclose(times[1], times[MOST_CORES], rel_tol=1e-9) and isclose(times[1], times[best], rel_tol=1e-9):
        fastest = "the number of cores does not matter"
    return (
        f"With {largest.cores} cores and {counted(largest.train_size, largest.noun)} {fixed / total:.0%} of the time is fixed, "
        f"{shared / total:.0%} is shared by the cores and {max(1 - (fixed + shared) / total, 0):.0%} grows with them; "
        f"{fastest} for as many {largest.noun}s."
    )


def _gustafson(fit: ScalingFit) -> str:
    alpha = fit.parameters["alpha"].value
    nouns = f"{fit.points[0].noun}s"
    if alpha > 1:
        return f"When {nouns} grow with cores, more cores get less done per second than the fewest."
    return (
        f"When {nouns} grow with cores, every further core adds {1 - alpha:.0%} of a core's work, so {alpha:.0%} of the "
        "time is serial."
    )


_SENTENCES = {"Ernest": _ernest, "Amdahl": _amdahl, "Universal Scalability Law": _usl, "Gustafson": _gustafson}


def _line(label: str, fit: ScalingFit) -> list[str | None]:
    """One line of the table, without the records."""
    error = "unknown: no time can be predicted from the others"
    if fit.errors:
        error = f"{fit.median_error:.1%} / {fit.worst_error:.1%} ({len(fit.errors)} of {len(fit.points)} times)"
    return [label, fit.model, "; ".join(_parameter(*item) for item in fit.parameters.items()) or None, error]


def _parameter(name: str, estimate: Estimate) -> str:
    """Writes a parameter with its interval, in per cent or seconds."""

    def form(value: float) -> str:
        return f"{value:.1%}" if name in _SHARES else f"{value:.3g}" if name in _RATIOS else in_seconds(value)

    written = f"{name} = {form(estimate.value)}"
    return f"{written} ({'no interval' if estimate.low is None else f'{form(estimate.low)} to {form(estimate.high)}'})"


def _covers_everything(name: str, estimate: Estimate) -> bool:
    """Whether the interval of a share goes from nothing to everything."""
    return name in _SHARES and estimate.low <= 0 and estimate.high >= 1


def _not_identifiable(found: list[tuple[str, list[ScalingFit]]]) -> list[str]:
    """Says which models of scaling found nothing, and why; those with the same reason share a line."""
    by: dict[tuple[str, str], list[str]] = {}
    for label, fits in found:
        for fit in fits:
            if fit.reason is not None:
                by.setdefault((fit.model, fit.reason), []).append(label)
    return [
        f"{model} is not identifiable for {', '.join(labels)}. {reason}"
        for (model, reason), labels in sorted(by.items(), key=lambda item: item[0][0])
    ]


def _left_out(label: str, fits: list[ScalingFit]) -> list[str]:
    """Names what the models of scaling were not fitted to."""
    by: dict[str, list[str]] = {}
    for fit in fits:
        for sentence in fit.left_out:
            by.setdefault(sentence, []).append(fit.model)
    return [
        f"{label}: left out {sentence}" + ("." if len(models) == len(fits) else f" ({', '.join(models)}).")
        for sentence, models in by.items()
    ]
