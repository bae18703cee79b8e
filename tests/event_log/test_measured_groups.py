import json
from pathlib import Path

import pytest
from tests.factories.event_logs import LABEL, adds_up
from tests.factories.records import make_cnn_record, make_extraction_record, make_record

from cifar_pipelines.event_log.components import Measured, split_application
from cifar_pipelines.event_log.reader import read_event_log
from cifar_pipelines.records.job_groups import group_names, groups_of, lost_workers, measured_groups
from cifar_pipelines.records.run_record import RunRecord

DATA = Path(__file__).parent / "data"


def read(record, **changes):
    return RunRecord.from_json(record | changes)


def test_what_run_records_know_of_groups():
    assert measured_groups([read(make_record(fit_s=(7.1, 7.3)), job_groups=["a", "b"])]) == {
        "a": Measured(7.1), "b": Measured(7.3)
    }  # fmt: skip
    record = make_cnn_record(setting=(2, 2), epochs=4, resumed_after_epoch=1)
    record["resources"]["python_cpu_s"] = 12.0
    (fit,) = measured_groups([read(record, job_groups=["c"])]).values()
    (workers,) = fit.workers
    assert (workers.threads, fit.python_cpu_s, fit.driver_training_s) == (2, 12.0, 0)
    assert workers.seconds["worker_training"] == pytest.approx(3 * 10.0)  # the first epoch lies in another run
    assert fit.wall_s == pytest.approx(record["timings"]["fit_s"][0] - 10.5)
    rows = [row | {"phase": phase} for row, phase in zip(record["history"], (1, 1, 2, 3), strict=True)]
    phase = {
        "train": "all",
        "epochs": 1,
        "kept_epoch": 1,
        "validation_accuracy": 0.5,
        "seconds": 1.0,
        "trained_parameters": 1,
    }
    phases = [
        phase | {"phase": 1, "inputs": "cache"},
        *(phase | {"phase": number, "inputs": "images", "workers": record["workers"]} for number in (2, 3)),
    ]
    cache = {
        "images": 1,
        "views": 1,
        "extract_s": 1.0,
        "images_per_s": 1.0,
        "reused": True,
        "head_start_s": 2.0,
        "saved_s": 0.0,
    }
    transferred = read(record, job_groups=["c"], history=rows, phases=phases, cache=cache)
    (fit,) = measured_groups([transferred]).values()
    assert [workers.seconds["worker_training"] for workers in fit.workers] == [10.0, 10.0]
    assert fit.driver_training_s == pytest.approx(2.0 + 10.5)  # the start of the head, and the second epoch
    (of_head,) = measured_groups([read(record, job_groups=["c"], phases=phases[:1], history=rows[:2])]).values()
    assert of_head.workers == ()
    lost = read(make_cnn_record(restarts=2))
    assert lost_workers([lost, read(make_record())]) == [
        "airbench_bigdl: workers were lost 2 times; the counters are those of the last ones."
    ]


def test_records_without_ids_of_groups_have_the_label_that_their_groups_had():
    assert group_names(read(make_record())) == (LABEL,)
    assert group_names(read(make_extraction_record())) == ("Extracting kmeans_patches from 10500 images",)
    assert group_names(read(make_record(), job_groups=["a", "b"])) == ("a", "b")
    groups = [{"group": "a", "label": LABEL}, {"group": "b", "label": f"{LABEL} again"}]
    assert groups_of({"groups": groups}, (LABEL,)) == groups_of({"groups": groups}, ("a",)) == groups[:1]


def test_the_components_of_a_real_training():
    log = read_event_log(DATA / "orca_training")
    (group,) = [group for group in log.labels if group.startswith("Training airbench_bigdl")]
    record = read(json.loads((DATA / "orca_training_record.json").read_text()), job_groups=[group])
    whole, groups = split_application(log, measured_groups([record]))
    assert adds_up(whole) and all(adds_up(group) for group in groups)
    (fit,) = [fit for fit in groups if fit.group == group]
    assert fit.wall_s == pytest.approx(record.timings.fit_s[0])
    assert fit.parts["worker_training"] == pytest.approx(2 * record.timings.train_s, rel=0.001)
    assert 0 <= fit.parts["remainder"] < 0.05 * fit.wall_s * fit.cores
