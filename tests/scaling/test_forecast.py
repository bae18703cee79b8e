import io
import json
from dataclasses import replace

import pytest
from rich.console import Console
from tests.factories.records import make_cnn_record

from cifar_pipelines.common.places import place
from cifar_pipelines.experiment import kept_images, run
from cifar_pipelines.experiment.plan import Experiment, with_params
from cifar_pipelines.experiment.runner import Outcome, StepRunner
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.shelf import RecordShelf
from cifar_pipelines.scaling.forecast import Forecast, Target, comparable_records, compared, forecast_fit_time, store

MODEL = "airbench_bigdl"
TARGET = Target("exec_2x1", "bigdl_cnn", MODEL, 20000, "d" * 16)


def make_cnn(setting=(2, 1), size=10000, images_per_s=1000.0, **changes):
    return make_cnn_record(
        "bigdl", setting, images_per_s, data={"train_size": size} | changes.pop("data", {}), **changes
    )


def cnn(*args, **changes):
    return RunRecord.from_json(make_cnn(*args, **changes))


def test_with_one_size_the_work_grows_and_the_overhead_stays():
    """4 epochs of 10 + 0.5 s and 20 s of overhead; epochs all alike leave no spread."""
    found = forecast_fit_time([cnn()], TARGET)
    assert found.predicted_s == pytest.approx(2 * 42 + 20)
    assert (found.low_s, found.high_s) == pytest.approx((104, 104))
    assert found.rule.startswith("proportional growth from 10,000 images: (training + validation) x 2 + the engine")
    assert "one run, interval as if all 4 epochs took as long as its shortest or longest" in found.rule


def test_without_repeats_the_interval_is_that_of_the_epochs():
    record = make_cnn()
    for row, seconds in zip(record["history"], (13, 9, 9, 9), strict=True):
        row["seconds"] = seconds
    found = forecast_fit_time([RunRecord.from_json(record)], TARGET)
    assert (found.low_s, found.high_s) == pytest.approx((2 * 4 * 9.5 + 20, 2 * 4 * 13.5 + 20))
    assert found.low_s <= found.predicted_s <= found.high_s
    unknown = forecast_fit_time([RunRecord.from_json(record | {"history": None})], TARGET)
    assert unknown.low_s is unknown.high_s is None and "no spread is known" in unknown.rule


def test_repeats_give_median_and_spread():
    records = [
        cnn(images_per_s=speed, created=f"2026-11-20T1{n}:00:00+00:00") for n, speed in enumerate((1000, 800, 500))
    ]
    found = forecast_fit_time(records, TARGET)
    assert found.predicted_s == pytest.approx(2 * 52 + 20)  # 4 x (12.5 + 0.5)
    assert found.high_s - found.predicted_s == pytest.approx(2 * (82 - 42))
    assert found.low_s == pytest.approx(44) and "spread of 3 repeats" in found.rule
    assert found.run_ids == tuple(record.run_id for record in records)


def test_of_several_sizes_the_nearest_grows_where_ernest_is_not_identifiable():
    found = forecast_fit_time([cnn(size=2000), cnn(size=15000)], TARGET)
    assert "from 15,000 images" in found.rule
    assert found.predicted_s == pytest.approx((4 * 15.5) * 20 / 15 + 20)


def test_only_the_setting_itself_grows_and_without_it_nothing_is_said():
    assert forecast_fit_time([cnn((1, 1)), cnn((2, 2))], TARGET) is None
    assert forecast_fit_time([], TARGET) is None
    slow = cnn((1, 1), images_per_s=10)
    assert forecast_fit_time([slow, cnn()], TARGET).predicted_s == pytest.approx(104)


def ernest_record(m, size):
    return cnn((m, 1), size, host_cores=8, timings={"fit_s": [6 + 30 * size / 5000 / m + 0.5 * m]})


def test_with_several_sizes_and_cores_ernest_predicts():
    records = [ernest_record(m, size) for m in (1, 2, 4) for size in (5000, 10000)]
    oversubscribed = [cnn((16, 1), 5000, host_cores=8)]
    found = forecast_fit_time(records + oversubscribed, TARGET)
    assert found.predicted_s == pytest.approx(6 + 30 * 4 / 2 + 1)
    assert found.rule == "Ernest's model, fitted to 6 medians under 3 settings"
    assert len(found.run_ids) == 6 and found.low_s == pytest.approx(found.high_s)
    # One size cannot tell what of the time is fixed.
    assert "proportional" in forecast_fit_time([ernest_record(m, 5000) for m in (1, 2, 4, 8)], TARGET).rule


def test_what_was_predicted_is_set_beside_what_was_measured():
    found = Forecast(90.0, 80.0, 95.0, "rule", ("a",))
    assert compared(found, 100.0) == (
        "Predicted 90.0 s, measured 100 s: error -10.0%, outside the interval of 80.0 to 95.0 s."
    )
    assert "within" in compared(found, 85.0)
    assert compared(replace(found, low_s=None), 100.0).endswith("error -10.0%.")


def test_a_prediction_is_stored_with_all_that_checks_it(tmp_path):
    file = store(Forecast(90.0, 80.0, 95.0, "rule", ("a", "b")), TARGET, tmp_path)
    assert file == tmp_path / "exec_2x1" / f"airbench_bigdl-20000-{TARGET.configuration}.json"
    content = json.loads(file.read_text())
    assert content.pop("made") > "2026"
    assert content == {
        "setting": "exec_2x1",
        "family": "bigdl_cnn",
        "model": MODEL,
        "train_size": 20000,
        "configuration": "d" * 16,
        "predicted_s": 90.0,
        "low_s": 80.0,
        "high_s": 95.0,
        "rule": "rule",
        "run_ids": ["a", "b"],
    }
    assert list(file.parent.iterdir()) == [file]


EXPERIMENT = Experiment(
    ("exec_1x1", "exec_2x1"), ("ingestion", "bigdl_cnn"), 1, "train_size=10000,bigdl_cnn.engines=bigdl"
)


def digest(size, params="train_size=10000"):
    text = with_params(params, {"train_size": size})
    return replace(EXPERIMENT, params_text=text).expected()["bigdl_cnn"][MODEL]


def shelve(folder, record, configuration, version):
    record |= {"configuration": configuration}
    file = folder / record["parallelism"]["setting"] / f"{MODEL}.json" / version / f"{MODEL}.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(record))


def test_only_records_of_the_same_work_are_used(tmp_path):
    shelve(tmp_path, make_cnn(), digest(10000), "same")
    shelve(tmp_path, make_cnn(size=5000), digest(5000), "smaller")
    shelve(tmp_path, make_cnn(data={"train_size": 9990, "bad_images_skipped": 10}), digest(10000), "damaged")
    shelve(tmp_path, make_cnn(size=20000), digest(20000), "target")
    shelve(tmp_path, make_cnn(), digest(10000, "seed=7"), "seed")
    shelve(tmp_path, make_cnn(resumed_after_epoch=2), digest(10000), "resumed")
    shelve(tmp_path, make_cnn(restarts=1), digest(10000), "restarted")
    shelve(tmp_path, make_cnn(timings={"train_s": None}), digest(10000), "incomplete")
    shelve(tmp_path, make_cnn((1, 1)), digest(10000), "other setting")
    target = replace(TARGET, configuration=digest(20000))
    shelf = RecordShelf(tmp_path)
    found = comparable_records(shelf, EXPERIMENT.settings, EXPERIMENT.params, target)
    assert sorted(record.data.train_size for record in found) == [5000, 9990, 10000, 10000]
    assert len(comparable_records(shelf, ("exec_2x1",), EXPERIMENT.params, target)) == 3


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    """Runs an experiment whose steps are faked: they write run records, and note which predictions lie there."""
    records, seen = tmp_path / place("run_records"), []

    def fake_run(self, step, result=str):
        size = 20000 if "train_size=20000" in step.params else 10000
        if "bigdl_cnn" in step.pipelines:
            seen.append((size, [file.name for file in (tmp_path / place("fit_forecasts")).rglob("*.json")]))
            cores = int(step.setting[5])
            record = make_cnn((cores, 1), size, 500.0 * cores, created=f"2026-11-20T1{len(seen)}:00:00+00:00")
            shelve(records, record, digest(size), f"v{len(seen)}")
        outcome = Outcome(step, "done")
        self.outcomes.append(outcome)
        return outcome

    monkeypatch.setattr(run, "PROJECT_PATH", tmp_path)
    monkeypatch.setattr(StepRunner, "run", fake_run)
    monkeypatch.setattr(kept_images.KeptImages, "_found", lambda self: make_cnn()["data"]["fingerprint"])
    monkeypatch.setattr(kept_images.KeptImages, "train_available", 50_000)

    def go(again=False):
        console = Console(file=io.StringIO(), width=400)
        run.run_experiment(EXPERIMENT, 20000, again, console)
        return seen, " ".join(console.file.getvalue().split()), tmp_path / place("fit_forecasts")

    return go


def test_the_prediction_lies_there_before_the_run_and_is_compared_after_it(experiment):
    seen, said, folder = experiment()
    assert seen == [(10000, []), (10000, []), (20000, [f"airbench_bigdl-20000-{digest(20000)}.json"])]
    assert (
        "Predicted fit time of airbench_bigdl under exec_2x1 on 20,000 images: 104 s (104 to 104 s; proportional"
        in said
    )
    assert "airbench_bigdl on 20,000 images: Predicted 104 s, measured 102 s: error +2.0%, outside" in said
    content = json.loads(next((folder / "exec_2x1").iterdir()).read_text())
    assert content["configuration"] == digest(20000) and content["run_ids"] == ["2026-11-20T12.00.00.000Z"]


def test_what_was_measured_already_is_not_predicted_afterwards(experiment):
    _, _, folder = experiment()
    made = {file: file.read_bytes() for file in folder.rglob("*.json")}
    _, said, _ = experiment()
    assert "Predicted" not in said
    assert made == {file: file.read_bytes() for file in folder.rglob("*.json")}
    _, said, _ = experiment(again=True)
    assert said.count("Predicted fit time") == 1
    assert "spread of 2 repeats" in said
