"""Numbers for run records, and short references to them, such as [r12]."""

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby

import pandas as pd

from cifar_pipelines.records.columns import records_to_table
from cifar_pipelines.records.summary import MODEL, SECTION
from cifar_pipelines.report.document.blocks import Block, Blocks, Heading, Span, Spans, Table, plain

# What a column of a table of the comparison says, by its heading.
NAMES_OF = {
    "model": "label",
    "network": "network",
    "engine": "engine",
    "setting": "setting",
    "training images": "train_size",
}
REFERENCES = "records"
LONG_REFERENCES = "run records"
LATEST = "at its fastest setting"  # a heading with these words stands over rows of one run each


def number_records(
    records: Mapping[str, Callable[[], dict] | dict], comparison_table: pd.DataFrame
) -> pd.DataFrame:
    """Gives every run record that can be read a number, the oldest first.

    Args:
        records: Run records, or functions that load one, by name.
        comparison_table: What `compare_runs` made of them.

    Returns:
        The table of `records_to_table` with the columns `record` (its name), `number` (from 1), `raw` (the
        record itself) and `label`: the model's name in the comparison, missing where the record is not in it.
    """
    read = {name: _read(load) for name, load in records.items()}
    table, _ = records_to_table(read)
    if table.empty:
        return table
    table = table.sort_values(["created", "run_id", "record"], ignore_index=True)
    table["number"] = table.index + 1
    table["raw"] = table["record"].map(read)
    key = [*SECTION, *MODEL, "setting", "params_digest"]
    return table.merge(comparison_table[[*key, "label"]].drop_duplicates(key), on=key, how="left")


def reference(numbers: Iterable[int]) -> Spans:
    """Writes the numbers of records, neighbours as a range: [r1–r4, r9]; a dash for none."""
    ordered = sorted(set(numbers))
    if not ordered:
        return (Span("–"),)
    runs = [
        [number for _, number in group]
        for _, group in groupby(enumerate(ordered), lambda pair: pair[1] - pair[0])
    ]
    spans: list[Span] = []
    for run in runs:
        spans += [Span(", " if spans else "["), _link(run[0])]
        if len(run) > 1:
            spans += [Span("–" if len(run) > 2 else ", "), _link(run[-1])]
    return (*spans, Span("]"))


def name_of(number: int) -> str:
    """The short name of a record."""
    return f"r{number}"


def with_references(blocks: Iterable[Block], records: pd.DataFrame) -> Blocks:
    """Adds to every table about models a column that names the records behind each row.

    Args:
        blocks: Blocks of the comparison.
        records: The numbered records that they can be about.

    Returns:
        The blocks; tables that name no model and no network stay as they are.
    """
    found, latest = [], False
    for block in blocks:
        if isinstance(block, Heading):
            latest = LATEST in plain(block.spans)
        found.append(_referenced(block, records, latest) if isinstance(block, Table) else block)
    return tuple(found)


def _referenced(table: Table, records: pd.DataFrame, latest: bool) -> Table:
    headings = [plain(spans) for spans in table.header]
    columns = [heading for heading in headings if heading in NAMES_OF]
    if records.empty or REFERENCES in headings or not {"model", "network"} & set(columns):
        return table
    numbers = _numbers(records[records["label"].notna()], [NAMES_OF[heading] for heading in columns])
    kept = [place for place, heading in enumerate(headings) if heading != LONG_REFERENCES]
    rows, any_found = [], False
    for row in table.rows:
        key = tuple(_comparable(plain(row[headings.index(heading)])) for heading in columns)
        behind = numbers.get(key, [])
        any_found = any_found or bool(behind)
        rows.append((*(row[place] for place in kept), reference(behind[-1:] if latest else behind)))
    if not any_found:
        return table
    return Table((*(table.header[place] for place in kept), (Span(REFERENCES),)), tuple(rows))


def _numbers(records: pd.DataFrame, columns: list[str]) -> dict[tuple[str, ...], list[int]]:
    """The numbers of the records, oldest first, by what the columns say of them."""
    found: dict[tuple[str, ...], list[int]] = {}
    for _, record in records.iterrows():
        key = tuple(_comparable(str(record[column])) for column in columns)
        found.setdefault(key, []).append(int(record["number"]))
    return found


def _comparable(text: str) -> str:
    """A number without what makes it easy to read."""
    digits = text.replace(",", "")
    return digits if digits.isdigit() else text.strip()


def _link(number: int) -> Span:
    return Span(name_of(number), target=f"#{name_of(number)}")


def _read(load: Callable[[], dict] | dict) -> object:
    """Reads a record; what cannot be read is no record, and the comparison has said so."""
    try:
        return load() if callable(load) else load
    except Exception:  # a truncated or foreign file can fail in any way
        return None
