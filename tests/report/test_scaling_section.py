import json
import re

import pytest
from tests.factories.records import make_cnn_record, make_extraction_record, make_grown_study, make_record

from cifar_pipelines.pipelines.comparison.nodes import compare_runs, write_report
from cifar_pipelines.report.sections.forecasts import COLUMNS, check_predictions, predictions_part
from cifar_pipelines.report.sections.scaling import says
from cifar_pipelines.scaling.fit import Point
from cifar_pipelines.scaling.models import fit_amdahl, fit_ernest, fit_gustafson, fit_usl

SIZE = 10_000
CORES = (1, 2, 4, 8)


def report(records):
    table, _, left_out = compare_runs(
        {name: lambda record=record: record for name, record in records.items()}
    )
    return write_report(table, left_out)


def part(text, heading):
    return re.split(r"\n#{1,3} ", text.split(f"\n{heading}\n")[1])[0]


def amdahl_study(shares=0.23, settings=((1, 1), (2, 1), (2, 2), (4, 1)), host_cores=4, **changes):
    return {
        f"exec_{m}x{c}": make_record(
            setting=(m, c), fit_s=[100 * (shares + (1 - shares) / m)], host_cores=host_cores, **changes
        )
        for m, c in settings
    }


def test_the_report_says_what_the_models_of_scaling_found():
    found = part(report(amdahl_study()), "### Scaling")
    assert (
        "| logistic_regression | Amdahl | t1 = 100 s (100 s to 100 s); s = 23.0% (23.0% to 23.0%) | "
        "0.0% / 0.0% (4 of 4 times) |" in found
    )
    assert (
        "- **logistic_regression**, Amdahl: 23% of the time does not shrink with cores, so at most 4.3 times faster "
        "however many cores." in found
    )
    assert (
        "- Ernest is not identifiable for logistic_regression. It needs three different numbers of cores"
        in found
    )
    assert "- Gustafson is not identifiable for logistic_regression." in found and "| Ernest |" not in found
    assert "left out" not in found


def test_what_is_left_out_is_named():
    records = amdahl_study(settings=((1, 1), (2, 1), (4, 1)), host_cores=2)
    found = part(report(records), "### Scaling")
    assert "- logistic_regression: left out exec_4x1: more cores than the 2 of the host." in found
    assert "s = 23.0% (no interval)" in found and "it is unknown how sure this is" in found
    records = {
        "a": make_cnn_record(setting=(1, 1)),
        "b": make_cnn_record(setting=(2, 1)),
        "c": make_cnn_record(setting=(2, 2), restarts=1),
    }
    found = part(report(records), "### Scaling")
    assert "exec_2x2: the time is put together from parts" in found


def test_other_numbers_of_images_serve_the_models_that_know_them():
    larger = {"train_size": 20000, "fingerprint": "f" * 16}
    small = {f"a{m}": make_record(setting=(m, 1), fit_s=[5 + 40 / m], host_cores=4) for m in (1, 2, 4)}
    large = {
        f"b{m}": make_record(setting=(m, 1), fit_s=[5 + 80 / m], host_cores=4, data=larger) for m in (1, 2, 4)
    }
    text = report(small | large)
    sections = text.split("### Scaling")[1:]
    assert len(sections) == 2
    for section in sections:
        assert re.search(r"\| Ernest \| a = 5 s \(5 s to 5 s\); b = 40 s \(40 s to 40 s\); c = ", section)
        assert re.search(r"\| Gustafson \| alpha = ", section)
    assert "exec_1x1 (20,000 images), exec_2x1 (20,000 images)" in sections[0] + sections[1]


def test_there_is_no_such_part_without_models_and_no_nan_with_them():
    assert "### Scaling" not in report({"features": make_extraction_record()})
    text = report(make_grown_study())
    assert text.count("### Scaling\n") == 2
    assert not re.search(r"\b(nan|None|inf)\b", text.replace("None:", ""))
    for block in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        assert len({line.count("|") - line.count("\\|") for line in block.strip().splitlines()}) == 1


def measured(seconds, cores=CORES):
    return [Point(m, SIZE, seconds(m)) for m in cores]


@pytest.mark.parametrize(
    ("fit", "words"),
    [
        (fit_amdahl(measured(lambda m: 80 / m), SIZE), "set no limit"),
        (fit_amdahl(measured(lambda m: 80), SIZE), "more cores do not make it faster"),
        (fit_amdahl(measured(lambda m: [0, 80, 40, 0, 90][m], (1, 2, 4)), SIZE), "settle nothing"),
        (fit_usl(measured(lambda m: 80 / m), SIZE), "falls in proportion"),
        (
            fit_usl(measured(lambda m: 80 * (1 + 0.1 * (m - 1)) / m), SIZE),
            "10% of the work waits in line, so at most 10",
        ),
        (
            fit_usl(measured(lambda m: 80 * (1 + 0.01 * m * (m - 1)) / m), SIZE),
            "fastest with about 10 cores, which is beyond the 8 that were measured, and slower with more",
        ),
        (
            fit_ernest(measured(lambda m: 10 + 40 / m + 2.5 * m)),
            "With 8 cores and 10,000 images 29% of the time is fixed, 14% is shared by the cores and 57% grows with them; "
            "about 4 cores are fastest",
        ),
        (fit_ernest(measured(lambda m: 10)), "the number of cores does not matter"),
        (fit_ernest(measured(lambda m: 10 + 40 / m)), "more cores always help"),
        (
            fit_gustafson([Point(m, m * SIZE, m * 50 / (m - 0.3 * (m - 1))) for m in CORES]),
            "every further core adds 70% of a core's work, so 30% of the time is serial",
        ),
        (fit_gustafson([Point(m, m * SIZE, 50 * m**2) for m in (1, 2)]), "more cores get less done"),
    ],
)
def test_every_model_says_what_it_means(fit, words):
    assert words in says(fit)


PREDICTION = {
    "made": "2026-11-20T09:00:00+00:00",
    "setting": "exec_2x1",
    "model": "airbench_bigdl",
    "train_size": 20000,
    "configuration": "0000000000001e10",
    "predicted_s": 80.0,
    "low_s": 70.0,
    "high_s": 90.0,
    "rule": "proportional growth",
    "run_ids": ["a"],
}


def checked(*predictions, **records):
    return check_predictions({str(n): lambda one=one: one for n, one in enumerate(predictions)}, records)


def run_record(created="2026-11-20T10:00:00+00:00", configuration="0000000000001e10", **changes):
    """A record with a fit time of 100 s."""
    record = make_cnn_record(
        images_per_s=1000, overhead_s=18, data={"train_size": 20000}, created=created, **changes
    )
    return record | {"configuration": configuration}


def test_a_prediction_stands_beside_what_was_measured():
    rows = checked(PREDICTION, a=run_record())
    assert list(rows.columns) == COLUMNS
    text = predictions_part(rows)
    assert text.startswith("## Predicted before it was run")
    assert (
        "| airbench_bigdl | exec_2x1 | 20,000 | 80 | 70 to 90 | 100 | -20.0 | no | – | proportional growth | "
        "2026-11-20T10.00.00.000Z |" in text
    )
    assert "Median error 20.0%, worst 20.0%; 0 of 1 within the interval." in text
    assert "Never checked" not in text


@pytest.mark.parametrize(
    "record",
    [
        run_record(created="2026-11-20T08:00:00+00:00"),  # before the prediction was made
        run_record(configuration="1" * 16),
        run_record(setting=(2, 2)),
        run_record(network="lenet"),
    ],
)
def test_only_a_later_run_of_the_same_configuration_checks_it(record):
    text = predictions_part(checked(PREDICTION, a=record))
    assert "Never checked, because no such run was recorded afterwards:" in text
    assert "- airbench_bigdl under exec_2x1 on 20,000 images: predicted 80 s (70 to 90 s)" in text
    assert "|" not in text


def test_the_first_run_after_it_counts_and_its_doubts_are_named():
    first = run_record(host_load={"other_cpu_share": 0.4}, resumed_after_epoch=1)
    rows = checked(PREDICTION, b=run_record(created="2026-11-20T11:00:00+00:00"), a=first)
    assert rows["run_id"].tolist() == ["2026-11-20T10.00.00.000Z"]
    assert rows["doubt"].tolist() == ["busy host, resumed"]


def test_predictions_without_interval_or_records_and_broken_ones():
    plain = PREDICTION | {"low_s": None, "high_s": None}
    text = predictions_part(checked(plain, a=run_record()))
    assert "| 80 | – | 100 | -20.0 | – | – |" in text and "worst 20.0%." in text
    assert "predicted 80 s on 2026" in predictions_part(checked(plain))
    assert checked({"made": "yesterday"}, {}, json.loads("[]"), PREDICTION | {"predicted_s": None}).empty
    assert predictions_part(checked()) is None
