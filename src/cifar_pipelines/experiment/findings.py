"""What came of a step, in a few words."""

from collections.abc import Mapping, Sequence
from typing import Any

from cifar_pipelines.common.words import counted, in_seconds
from cifar_pipelines.records.run_record import RunRecord

SHOWN = 3  # models; the report has all


def of_images(info: Mapping[str, Any]) -> str:
    """What ingestion made, by the description of the images."""
    sizes = {split: info.get(f"{split}_size", 0) for split in ("train", "validation", "test")}
    words = {"train": "training", "validation": "validation", "test": "test"}
    parts = [f"{size:,} {words[split]}" for split, size in sizes.items() if size]
    obtained = (info.get("origin") or {}).get("obtained")
    of = counted(len(info["class_names"]), "class", "classes")
    *others, last = parts
    named = f"{', '.join(others)} and {last}" if others else last
    return f"{named} {info.get('content', 'image')}s of {of}" + (f" ({obtained})" if obtained else "")


def of_models(records: Sequence[RunRecord]) -> str:
    """What models reached, the best first; of extractions how long they took."""
    judged = sorted(
        (record for record in records if not record.is_extraction), key=lambda one: -one.score("accuracy.value")
    )
    if not judged:
        return ", ".join(f"{record.model} in {in_seconds(min(record.times_s))}" for record in records)
    more = len(judged) - SHOWN
    named = [f"{record.model} {record.score('accuracy.value'):.1%}" for record in judged[:SHOWN]]
    return f"{', '.join(named)} of {judged[0].data.noun}s right" + (
        f", {counted(more, 'other model')} less often" if more > 0 else ""
    )
