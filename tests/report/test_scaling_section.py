import json
import re

import pytest
from tests.factories.records import make_cnn_record, make_extraction_record, make_grown_study, make_record
from tests.factories.report import content_of, items_of, rows_of, sections_of, text_of

from cifar_pipelines.records.columns import records_to_table
from cifar_pipelines.report.sections.forecasts import COLUMNS, check_forecasts, forecasts
from cifar_pipelines.report.sections.scaling import says
from cifar_pipelines.scaling.fit import Point
from cifar_pipelines.scaling.models import fit_amdahl, fit_ernest, fit_gustafson, fit_usl

SIZE = 10_000
CORES = (1, 2, 4, 8)


def scaling_of(records):
    """The blocks of the section on scaling."""
    return sections_of(records)["scaling"].blocks


def amdahl_study(shares=0.23, settings=((1, 1), (2, 1), (2, 2), (4, 1)), host_cores=4, **changes):
    return {
        f"exec_{m}x{c}": make_record(
            setting=(m, c), fit_s=[100 * (shares + (1 - shares) / m)], host_cores=host_cores, **changes
        )
        for m, c in settings
    }


def test_the_report_says_what_the_models_of_scaling_found():
    found = scaling_of(amdahl_study())
    assert list(rows_of(found)[0].values()) == [
        *("logistic_regression", "Amdahl", "t1 = 100 s (100 s to 100 s); s = 23.0% (23.0% to 23.0%)"),
        *("0.0% / 0.0% (4 of 4 times)", "[r1–r4]"),
    ]
    items = items_of(found)
    assert (
        "logistic_regression, Amdahl: 23% of the time does not shrink with cores, so at most 4.3 times faster "
        "however many cores." in items
    )
    text = text_of(found)
    assert "Ernest is not identifiable for logistic_regression. It needs three different numbers of cores" in text
    assert "Gustafson is not identifiable for logistic_regression." in text
    assert "Ernest" not in [row["scaling model"] for row in rows_of(found)] and "left out" not in text


def test_models_under_one_setting_share_one_sentence():
    found = text_of(scaling_of(amdahl_study() | {"alone": make_cnn_record(setting=(2, 1), host_cores=4)}))
    assert "Measured under one setting alone, which identifies no model of scaling: airbench" in found
    assert "not identifiable for airbench" not in found


def test_what_is_left_out_is_named():
    found = text_of(scaling_of(amdahl_study(settings=((1, 1), (2, 1), (4, 1)), host_cores=2)))
    assert "logistic_regression: left out exec_4x1: more cores than the 2 of the host." in found
    assert "s = 23.0% (no interval)" in found and "it is unknown how sure this is" in found
    records = {
        "a": make_cnn_record(setting=(1, 1)),
        "b": make_cnn_record(setting=(2, 1)),
        "c": make_cnn_record(setting=(2, 2), restarts=1),
    }
    assert "exec_2x2: the time is put together from parts" in text_of(scaling_of(records))


def test_other_numbers_of_images_serve_the_models_that_know_them():
    larger = {"train_size": 20000, "fingerprint": "f" * 16}
    small = {f"a{m}": make_record(setting=(m, 1), fit_s=[5 + 40 / m], host_cores=4) for m in (1, 2, 4)}
    large = {f"b{m}": make_record(setting=(m, 1), fit_s=[5 + 80 / m], host_cores=4, data=larger) for m in (1, 2, 4)}
    content = content_of(small | large)
    texts = [text_of(study.sections["scaling"].blocks) for study in content.studies]
    assert len(texts) == 2
    for text in texts:
        assert re.search(
            r"\| Ernest \| a = 5\.0 s \(5\.0 s to 5\.0 s\); b = 40\.0 s \(40\.0 s to 40\.0 s\); c = ", text
        )
        assert re.search(r"\| Gustafson \| alpha = ", text)
    assert "exec_1x1 (20,000 images), exec_2x1 (20,000 images)" in texts[0] + texts[1]


def test_there_is_no_such_part_without_models_and_no_nan_with_them():
    assert "scaling" not in sections_of({"features": make_extraction_record()})
    told = [study for study in content_of(make_grown_study()).studies if "scaling" in study.sections]
    assert told
    for study in told:
        assert not re.search(r"\b(nan|None|inf)\b", text_of(study.sections["scaling"].blocks))


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
        (fit_ernest(measured(lambda m: 10 + 1 / m + 5 * m)), "about 1 core is fastest"),
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


FORECAST = {
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


def checked(*made, **records):
    loaders = {str(n): lambda one=one: one for n, one in enumerate(made)}
    return check_forecasts(loaders, records_to_table(records or {"other": make_record()})[0])


def told(rows):
    return forecasts(rows).blocks


def run_record(created="2026-11-20T10:00:00+00:00", configuration="0000000000001e10", **changes):
    """A record with a fit time of 100 s."""
    record = make_cnn_record(images_per_s=1000, overhead_s=18, data={"train_size": 20000}, created=created, **changes)
    return record | {"configuration": configuration}


def test_a_forecast_stands_beside_what_was_measured():
    rows = checked(FORECAST, a=run_record())
    assert list(rows.columns) == COLUMNS
    assert list(rows_of(told(rows))[0].values()) == [
        *("airbench_bigdl", "exec_2x1", "20,000", "80.0", "70.0 to 90.0", "100", "-20.0", "no", "–"),
        *("proportional growth", "2026-11-20T10.00.00.000Z"),
    ]
    text = text_of(told(rows))
    assert "Median error 20.0%, worst 20.0%; 0 of 1 within the interval." in text
    assert "Never checked" not in text


@pytest.mark.parametrize(
    "record",
    [
        run_record(created="2026-11-20T08:00:00+00:00"),  # before the forecast was made
        run_record(configuration="1" * 16),
        run_record(setting=(2, 2)),
        run_record(network="lenet"),
    ],
)
def test_only_a_later_run_of_the_same_configuration_checks_it(record):
    text = text_of(told(checked(FORECAST, a=record)))
    assert "Never checked, because no such run was recorded afterwards:" in text
    assert "airbench_bigdl under exec_2x1 on 20,000 images: predicted 80.0 s (70.0 to 90.0 s)" in text
    assert "|" not in text


def test_the_first_run_after_it_counts_and_its_doubts_are_named():
    first = run_record(host_load={"other_cpu_share": 0.4}, resumed_after_epoch=1)
    rows = checked(FORECAST, b=run_record(created="2026-11-20T11:00:00+00:00"), a=first)
    assert rows["run_id"].tolist() == ["2026-11-20T10.00.00.000Z"]
    assert rows["doubt"].tolist() == ["busy host, resumed"]


def test_forecasts_without_interval_or_records_and_broken_ones():
    plain = FORECAST | {"low_s": None, "high_s": None}
    text = text_of(told(checked(plain, a=run_record())))
    assert "| 80.0 | – | 100 | -20.0 | – | – |" in text and "worst 20.0%." in text
    assert "predicted 80.0 s on 2026" in text_of(told(checked(plain)))
    assert checked({"made": "yesterday"}, {}, json.loads("[]"), FORECAST | {"predicted_s": None}).empty
    assert forecasts(checked()) is None
