"""The table of run records has exactly the columns that are described, and the record's JSON all its fields."""

import json

import pytest
from tests.factories.records import make_cnn_record, make_extraction_record, make_judged_record, make_record

from cifar_pipelines.records.columns import COLUMNS, records_to_table
from cifar_pipelines.records.run_record import RunRecord

RECORDS = {
    "classifier": make_record(),
    "judged": make_judged_record("naive_bayes", [True, False]),
    "network": make_cnn_record(resumed_after_epoch=1, restarts=1),
    "extraction": make_extraction_record(),
}


def test_every_column_says_what_it_means_and_has_a_name_of_its_own():
    names = [column.name for column in COLUMNS]
    assert len(set(names)) == len(names)
    assert all(column.meaning for column in COLUMNS)
    assert {column.unit for column in COLUMNS} <= {"", "s", "ms", "1/s", "MiB", "byte", "UTC", "nat"}


def test_the_table_has_these_columns_in_this_order():
    table, left_out = records_to_table(RECORDS)
    assert list(table) == ["record", *(column.name for column in COLUMNS)] and not left_out


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_the_same_after_it_was_read_and_written(name):
    content = json.loads(json.dumps(RECORDS[name]))
    assert RunRecord.from_json(content).to_json() == content


def test_keys_that_are_not_known_are_ignored():
    record = make_record() | {"another": 1}
    record["data"] |= {"another": 2}
    assert RunRecord.from_json(record) == RunRecord.from_json(make_record())


def test_any_further_family_is_fine_and_what_trains_nothing_is_told_by_what_it_holds():
    stream = make_extraction_record(family="streaming", model="replay")
    assert RunRecord.from_json(stream).is_extraction and RunRecord.from_json(stream).family == "streaming"
    assert not RunRecord.from_json(make_record(family="learners")).is_extraction
