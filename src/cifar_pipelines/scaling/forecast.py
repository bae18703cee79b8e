"""The fit time of a CNN on more images, predicted from the run records that are there before it is trained."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from cifar_pipelines.common import whole_files
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.words import in_seconds, seconds
from cifar_pipelines.records.digest import study_digest
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.shelf import RecordShelf
from cifar_pipelines.scaling.fit import Point
from cifar_pipelines.scaling.models import fit_ernest


@dataclass(frozen=True)
class Target:
    """The run whose fit time is wanted; `configuration` is the digest that its run record will hold."""

    setting: str
    family: str
    model: str
    train_size: int
    configuration: str


@dataclass(frozen=True)
class Forecast:
    """A fit time with its interval, and where both come from.

    Attributes:
        predicted_s: Seconds.
        low_s: Lower end of the interval; None where nothing shows a spread.
        high_s: Upper end.
        rule: How they were computed.
        run_ids: The runs that they were computed from.
    """

    predicted_s: float
    low_s: float | None
    high_s: float | None
    rule: str
    run_ids: tuple[str, ...]

    def __str__(self) -> str:
        between = "no interval" if self.low_s is None else f"{seconds(self.low_s)} to {in_seconds(self.high_s)}"
        return f"{in_seconds(self.predicted_s)} ({between}; {self.rule})"


def comparable_records(
    shelf: RecordShelf, settings: Iterable[str], params: dict[str, Any], target: Target
) -> list[RunRecord]:
    """The complete records of the target's model, with the same configuration but for the number of images.

    Args:
        shelf: The run records; those of the target itself are not used.
        settings: Names of the settings that may be used.
        params: What is given with `--params`, nested.
        target: The run whose fit time is wanted.

    Returns:
        Records of trainings in one go; those put together from parts are left out.
    """
    loader = load_configuration(target.setting, params)
    parameters, master = loader["parameters"], loader["spark"]["master"]

    def digest(train_size: int) -> str:
        subset = parameters["subset"] | {"train_size": train_size}
        return study_digest(parameters | {"subset": subset}, target.family, target.model, master)

    def is_comparable(record: RunRecord) -> bool:
        # Damaged images that were left out make the size of the data smaller than the size asked for.
        sizes = (parameters["subset"]["train_size"], record.data.train_size)
        same = record.configuration in [digest(size) for size in sizes]
        return same and record.configuration != target.configuration and _is_usable(record)

    of_model = (shelf.of_model(setting, target.family, target.model) for setting in settings)
    return [record for records in of_model for record in records if is_comparable(record)]


def forecast_fit_time(records: Sequence[RunRecord], target: Target) -> Forecast | None:
    """Forecasts the fit time.

    With more than one number of images Ernest's model is tried over all settings; where it is not identifiable, and with
    one number of images, which cannot tell what of the time is fixed, the time grows in proportion to the images.

    Args:
        records: What `comparable_records` found.
        target: The run.

    Returns:
        The forecast; None where the target's setting was not measured.
    """
    own = [record for record in records if record.parallelism.setting == target.setting]
    if not own:
        return None
    return _by_ernest(records, own[0], target) or _by_growth(own, target)


def store(forecast: Forecast, target: Target, folder: Path) -> Path:
    """Writes a forecast into a file below a folder that is whole or not there.

    Returns:
        The file, `<setting>/<model>-<train_size>-<configuration>.json`: a study of other images or with another recipe
        leaves it alone.
    """
    file = folder / target.setting / f"{target.model}-{target.train_size}-{target.configuration}.json"
    content = {"made": datetime.now(UTC).isoformat(timespec="seconds")}
    content |= asdict(target) | asdict(forecast)
    whole_files.write_json(file, content, indent=2)
    return file


def compared(forecast: Forecast, measured_s: float) -> str:
    """Sets a forecast beside what was measured, in a sentence."""
    error = forecast.predicted_s / measured_s - 1
    words = f"Predicted {in_seconds(forecast.predicted_s)}, measured {in_seconds(measured_s)}: error {error:+.1%}"
    if forecast.low_s is None:
        return words + "."
    inside = forecast.low_s <= measured_s <= forecast.high_s
    between = f"{seconds(forecast.low_s)} to {in_seconds(forecast.high_s)}"
    return f"{words}, {'within' if inside else 'outside'} the interval of {between}."


def _is_usable(record: RunRecord) -> bool:
    """Whether a record holds the parts of its fit time, and is of a training in one go."""
    timings = record.timings
    parts = (timings.train_s, timings.validate_s, timings.engine_overhead_s)
    return record.in_one_go and all(part is not None and 0 <= part < float("inf") for part in parts)


def _by_ernest(records: Sequence[RunRecord], own: RunRecord, target: Target) -> Forecast | None:
    """By Ernest's model over all settings that fit the host; None where it cannot say."""
    fitting = [record for record in records if not record.parallelism.oversubscribed]
    if own.parallelism.oversubscribed or len({record.data.train_size for record in fitting}) < 2:
        return None
    groups: dict[tuple[str, int, int], list[RunRecord]] = {}
    for record in fitting:
        key = (record.parallelism.setting, record.parallelism.cores, record.data.train_size)
        groups.setdefault(key, []).append(record)
    points = [
        Point(cores, size, median(times := [median(record.timings.fit_s) for record in group]), len(times), setting)
        for (setting, cores, size), group in groups.items()
    ]
    estimate = fit_ernest(points).predict(own.parallelism.cores, target.train_size)
    if estimate is None or estimate.value <= 0:
        return None
    rule = f"Ernest's model, fitted to {len(points)} medians under {len({point.name for point in points})} settings"
    return Forecast(estimate.value, estimate.low, estimate.high, rule, _run_ids(fitting))


def _by_growth(own: Sequence[RunRecord], target: Target) -> Forecast:
    """Training and validation grow with the images, what the engine adds stays as it was measured."""
    sizes, wanted = {record.data.train_size for record in own}, target.train_size
    size = min(sizes, key=lambda size: (max(size / wanted, wanted / size), size))  # its ratio is nearest to one
    runs = [record for record in own if record.data.train_size == size]
    growth, times = wanted / size, [record.timings for record in runs]
    grown = [growth * (time.train_s + time.validate_s) + time.engine_overhead_s for time in times]
    middle, (low, high), spread = median(grown), (None, None), "no spread is known"
    if len(grown) > 1:
        width = max(grown) - min(grown)
        low, high = max(middle - width, 0.0), middle + width
        spread = f"interval by the spread of {len(grown)} repeats"
    elif epochs := [row.total_s for row in runs[0].history]:
        ends = (growth * len(epochs) * edge for edge in (min(epochs), max(epochs)))
        low, high = (end + runs[0].timings.engine_overhead_s for end in ends)
        low, high = min(low, middle), max(high, middle)
        spread = f"one run, interval as if all {len(epochs)} epochs took as long as its shortest or longest"
    rule = (
        f"proportional growth from {size:,} images: (training + validation) x {growth:.3g} + the engine's overhead; "
        f"{spread}"
    )
    return Forecast(middle, low, high, rule, _run_ids(runs))


def _run_ids(records: Sequence[RunRecord]) -> tuple[str, ...]:
    return tuple(record.run_id for record in records)
