"""Saved models, found by the run records that say where they lie: by name or path, version, and what they learned from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.errors import LISTED, UserError, unknown_name
from cifar_pipelines.common.places import place
from cifar_pipelines.common.resolvers import options_suffix, path_suffix, weights_suffix
from cifar_pipelines.common.words import counted
from cifar_pipelines.families import families, words_for
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.shelf import Loaders, RecordShelf, read_records

MODEL = "model"  # the artifact that is the saved model


def _in_path(suffix: Callable[[Any], str]) -> Callable[[RunRecord, Any], bool]:
    """What stands in no record stands in the path of the model."""
    return lambda record, value: suffix(value) in str(record.artifacts[MODEL])


def _same(value: Callable[[RunRecord], Any]) -> Callable[[RunRecord, Any], bool]:
    return lambda record, wanted: value(record) == wanted


def _size(split: str) -> Callable[[RunRecord, Any], bool]:
    """Compares a number of images; "all" stands in the path of what learned from all of them."""

    def same(record: RunRecord, wanted: Any) -> bool:
        return getattr(record.data, f"{split}_size") == wanted or f"{split}{wanted}-" in str(record.artifacts[MODEL])

    return same


# What tells models of one name apart, by the name that a parameter has.
TOLD_APART_BY: Mapping[str, Callable[[RunRecord, Any], bool]] = {
    "source": _same(lambda record: record.data.source),
    "source_path": _in_path(path_suffix),
    "source_options": _in_path(options_suffix),
    "train_size": _size("train"),
    "test_size": _size("test"),
    "seed": _same(lambda record: record.data.seed),
    "extractor": _same(lambda record: record.features and record.features.extractor),
    "weights_path": _in_path(path_suffix),
    "weights": _in_path(weights_suffix),
    "input_size": _same(lambda record: record.features and record.features.input_size),
}


@dataclass(frozen=True)
class Wanted:
    """Which saved model is asked for.

    Attributes:
        model: Its name, or its path or that of a folder above it.
        version: The id of the run that saved it; None for the newest.
        learned_from: Further names of `TOLD_APART_BY` with values.
        fingerprint: Of the images that it was judged on, where some of its versions were judged on them; None for any.
    """

    model: str
    version: str | None = None
    learned_from: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str | None = None


def model_path(record: RunRecord) -> Path:
    """Where the model of a run record lies."""
    return PROJECT_PATH / record.artifacts[MODEL]


@contextmanager
def opening(record: RunRecord, kind: str) -> Iterator[Path]:
    """Gives the path of a saved model; whatever fails while it is read means that it is damaged, or of an earlier version.

    Args:
        record: Its run record.
        kind: What it should be, with its article, such as "a network".

    Raises:
        UserError: That says so.
    """
    path = model_path(record)
    try:
        yield path
    except Exception as error:  # a damaged file fails in many ways
        raise UserError(
            f"{path} cannot be read as {kind} ({type(error).__name__}): it is damaged, or of an earlier version. Take another version "
            "of the model, or make it again."
        ) from error


def find_model(records: Loaders, wanted: Wanted, models: Path) -> RunRecord:
    """Finds the run record of a saved model: of several versions of it, the newest.

    Args:
        records: All run records.
        wanted: Which one.
        models: The folder of all saved models, in which those lie that no record names.

    Raises:
        UserError: If there is none, if several differ in more than version and setting, or if its file is gone.
    """
    everything = list(read_records(records)[0].values())
    read = [record for record in everything if MODEL in record.artifacts]
    found = [record for record in read if _is_called(record, wanted.model)]
    if not found:
        raise _unsaved(wanted, everything) or _unknown(wanted, read, models)
    found = [record for record in found if record.data.fingerprint == wanted.fingerprint] or found
    if wanted.version is not None:
        found = [record for record in found if record.run_id == wanted.version] or _no_version(wanted, found, models)
    for name, value in wanted.learned_from.items():
        found = [record for record in found if TOLD_APART_BY[name](record, value)] or _no_such(wanted, name, found)
    newest = {_kind(record): record for record in sorted(found, key=lambda record: (record.created, record.run_id))}
    if len(newest) > 1:
        raise _several(wanted, list(newest.values()))
    (record,) = newest.values()
    if not model_path(record).exists():
        raise UserError(
            f"The model {record.model} of {record.run_id} is gone: {record.artifacts[MODEL]} is not there any more. Take "
            "another version with --version, or train it again."
        )
    return record


def find_in_project(wanted: Wanted) -> RunRecord:
    """Finds the run record of a saved model of this project; see `find_model`."""
    shelf = RecordShelf(PROJECT_PATH / place("run_records"))
    return find_model(shelf.loaders(), wanted, PROJECT_PATH / place("models_folder"))


def _is_called(record: RunRecord, text: str) -> bool:
    if text == record.model:
        return True
    path = model_path(record).resolve()
    above = (path, *path.parents)
    return any(given.exists() and given.resolve() in above for given in (Path(text), PROJECT_PATH / text))


def _kind(record: RunRecord) -> tuple[str, ...]:
    """What versions of one model share: their paths without version and setting."""
    own = (record.run_id, record.parallelism.setting)
    return record.family, *(part for part in Path(record.artifacts[MODEL]).parts if part not in own)


def _unsaved(wanted: Wanted, read: Sequence[RunRecord]) -> UserError | None:
    """Says why a model was judged and not saved; None where no run made one of that name."""
    called = [record for record in read if record.model == wanted.model]
    if not called:
        return None
    record = max(called, key=lambda record: (record.created, record.run_id))
    words = words_for(record.family)
    if record.family in families() and families()[record.family].predictor is None:
        return UserError(f"{record.model} is one of the {words}, which predict no new images: name another model.")
    return UserError(
        f"The run {record.run_id} judged {record.model}, one of the {words}, and an earlier version did not save it. Train it again."
    )


def _unknown(wanted: Wanted, read: Sequence[RunRecord], models: Path) -> UserError:
    if left := _versions_on_disk(wanted.model, models):
        return UserError(
            f"The model {wanted.model!r} of {left[-1]} has no run record: the run that saved it was interrupted before it was "
            "judged. Train it again; then it can predict."
        )
    if _folders(f"{wanted.model}_checkpoints", models):
        return UserError(
            f"The training of {wanted.model!r} was stopped before its end, so that there is no model yet. The same "
            "`kedro run` goes on with it."
        )
    names = {record.model for record in read}
    return unknown_name("saved model", wanted.model, names, "`kedro run` trains and saves models.")


def _no_version(wanted: Wanted, found: Sequence[RunRecord], models: Path) -> list[RunRecord]:
    if wanted.version in _versions_on_disk(wanted.model, models):
        raise UserError(
            f"The version {wanted.version} of {wanted.model} has no run record: the run that saved it was interrupted before "
            "it was judged. Take another version, or train it again."
        )
    raise unknown_name(f"version of {wanted.model}", wanted.version, {record.run_id for record in found})


def _no_such(wanted: Wanted, name: str, found: Sequence[RunRecord]) -> list[RunRecord]:
    raise UserError(
        f"No saved model {wanted.model!r} has the {name} {wanted.learned_from[name]!r}. There "
        f"{'is' if len(found) == 1 else 'are'}:\n\n{_listed(found)}\n"
    )


def _several(wanted: Wanted, found: Sequence[RunRecord]) -> UserError:
    names = ", ".join(list(TOLD_APART_BY)[:2])
    return UserError(
        f"{len(found)} saved models fit {wanted.model!r}. Choose one by its --version, or by what it learned from (--params "
        f"{names} and others):\n\n{_listed(found)}\n"
    )


def _listed(records: Sequence[RunRecord]) -> str:
    newest = sorted(records, key=lambda record: record.created, reverse=True)
    lines = [
        f"  --version {record.run_id}: {record.data.source}, {counted(record.data.train_size, 'training image')}, "
        f"{record.features_identity}, {record.parallelism.setting} ({record.artifacts[MODEL]})"
        for record in newest[:LISTED]
    ]
    return "\n".join(lines + [f"  and {len(newest) - LISTED} more"] * (len(newest) > LISTED))


def _versions_on_disk(model: str, models: Path) -> list[str]:
    """The versions of a model that are saved, oldest first, whether or not a record names them."""
    folders = [*_folders(model, models), *_folders(f"{model}.*", models)]
    return sorted({inside.name for folder in folders for inside in folder.iterdir() if inside.is_dir()})


def _folders(pattern: str, models: Path) -> list[Path]:
    """Folders of a name at any depth; none for what is no name, such as a path."""
    return [found for found in models.rglob(pattern) if found.is_dir()] if Path(pattern).name == pattern else []
