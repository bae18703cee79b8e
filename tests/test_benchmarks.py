import json
import subprocess
import sys
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[1]

from benchmarks import (  # noqa: E402
    deployment,
    executor_memory,
    feature_extraction,
    gpu,
    growth,
    kills,
    logistic_regression_fit,
    photographs,
    registry_list,
    report,
    stream,
)
from benchmarks.__main__ import parse_arguments, report_for_json, selected_benchmarks  # noqa: E402
from benchmarks.result import Bar, Result, results_table, summarise  # noqa: E402
from benchmarks.workload import Workload  # noqa: E402

from cifar_pipelines.common.errors import UserError  # noqa: E402
from cifar_pipelines.records.parts import Resources  # noqa: E402

AT_LEAST_HALF = Bar(0.5, at_least=True)


def test_summary():
    assert summarise([3.0, 1.0, 2.0]) == {"median": 2, "min": 1, "max": 3, "runs": 3, "values": [3, 1, 2]}
    assert summarise(None) is None


def test_ratios_are_taken_repeat_by_repeat():
    # The ratio of the medians would be 2 / 4.
    result = Result("a", "images/s", [1.0, 2.0, 9.0], [4.0, 2.0, 9.0], AT_LEAST_HALF)
    assert result.ratios == [0.25, 1, 1]
    assert result.met is True


@pytest.mark.parametrize(
    ("bar", "ours", "reference", "holds", "met"),
    [
        (AT_LEAST_HALF, [1.0], [2.0], True, True),
        (AT_LEAST_HALF, [1.0], [2.1], True, False),
        (Bar(3, at_least=False), [2.9], None, True, True),
        (Bar(3, at_least=False), [3.0], None, True, False),
        (Bar(3, at_least=False), [2.9], None, False, False),
        (None, [2.9], None, True, None),
    ],
)
def test_bars(bar, ours, reference, holds, met):
    assert Result("a", "s", ours, reference, bar, holds=holds).met is met


def test_report_is_json():
    results = [
        Result("a", "images/s", [1.0], [2.0], AT_LEAST_HALF, ["A note."], other_cpu_share=0.4),
        Result("b", "s", [1.0]),
    ]
    arguments = parse_arguments(["--only", "registry_list"])
    report = json.loads(json.dumps(report_for_json(arguments, results, 0.1)))
    assert set(report) == {
        *("schema_version", "created", "host", "versions", "git_revision", "arguments", "benchmarks"),
        "load_average",
    }
    first, second = report["benchmarks"]
    assert set(first) == {
        "name", "unit", "ours", "reference", "ratio", "bar", "met", "notes",
        "other_cpu_share", "disturbed",
    }  # fmt: skip
    assert (first["disturbed"], second["disturbed"]) == (True, False)
    assert (first["ratio"]["median"], first["bar"], first["met"]) == (0.5, "≥ 0.5", True)
    assert (second["reference"], second["ratio"], second["bar"], second["met"]) == (None,) * 4
    assert results_table(results).row_count == 2


def test_selection():
    def names(*argv):
        return selected_benchmarks(parse_arguments(argv))

    assert "usual_way" not in names()
    assert "usual_way" in names("--weights-path", "weights.pth")
    assert names("--only", "registry_list") == ["registry_list"]
    assert names("--only", "executor_memory") == [
        "feature_extraction", "logistic_regression_fit", "executor_memory",
    ]  # fmt: skip
    assert "stream_usual_size" not in names()
    for only in ("usual_way", "stream_usual_size"):
        with pytest.raises(UserError, match=f"by {only}.*torchvision:mobilenet_v2"):
            names("--only", only)


def test_the_network_of_the_deployment_benchmark_is_one_that_variants_are_made_of():
    subject = deployment._subject(SimpleNamespace(class_names=("a", "b")))
    assert subject.size == 224 and subject.build()(subject.example(1)).shape == (1, 2)


def test_photographs_are_of_both_classes_in_both_splits(tmp_path, monkeypatch):
    monkeypatch.setattr(photographs, "WIDTH", 40)
    monkeypatch.setattr(photographs, "HEIGHT", 30)
    files = photographs.make_photographs(tmp_path, 10)
    places = [file.parent.relative_to(tmp_path).as_posix() for file in files]
    assert {place: places.count(place) for place in set(places)} == {
        "train/inside": 4, "train/outside": 4, "test/inside": 1, "test/outside": 1,
    }  # fmt: skip
    assert len({file.read_bytes() for file in files}) == 10
    with pytest.raises(UserError, match="9 photographs are too few"):
        photographs.make_photographs(tmp_path, 9)


def test_explanation_splits_the_wall_time():
    resources = Resources(task_cpu_s=1.5, task_run_s=2.0, jobs=10)
    text = logistic_regression_fit._explanation(resources, 3.0, 2)
    assert "outside of tasks: 2.00 s, which is 200 ms per job" in text


def test_registry_list_starts_no_jvm():
    result = registry_list.measure(1, lambda sentence: None)
    assert result.holds and result.ours[0] > 0


def test_a_jvm_would_be_seen(tmp_path, monkeypatch):
    java = tmp_path / "java"
    java.symlink_to(Path(sys.executable).resolve())
    script = f"import subprocess; subprocess.run([{str(java)!r}, '-c', 'import time; time.sleep(1)'])"
    monkeypatch.setattr(registry_list, "COMMAND", [sys.executable, "-c", script])
    result = registry_list.measure(1, lambda sentence: None)
    assert not result.holds and result.met is False


def test_extraction_is_measured_against_a_bare_loop(spark, parameters, run_context, ingested, extracted):
    work = Workload(
        spark.session,
        run_context,
        parameters,
        ingested.images,
        ingested.info,
        extracted.extractor,
        extracted.state,
        extracted.spec,
        None,
    )
    (found,) = feature_extraction.measure(work, 40, 1, ["feature_extraction"], lambda sentence: None)
    assert found.name == "feature_extraction" and len(found.ratios) == 1 and found.ratios[0] > 0
    assert any("Cold" in note for note in found.notes)
    assert executor_memory.measure(work).ours[0] > 100


@pytest.mark.e2e
def test_command_writes_what_it_measured(tmp_path):
    output = tmp_path / "bench.json"
    command = [sys.executable, "-m", "benchmarks", "--only", "registry_list", "--repeats", "1", "--output", output]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = json.loads(output.read_text())["benchmarks"]
    assert found["name"] == "registry_list" and found["ours"]["runs"] == 1
    assert "registry_list" in done.stdout


def test_records_for_the_report_are_multiplied(tmp_path):
    with pytest.raises(UserError, match="make run"):
        report.multiply_records(tmp_path)
    for model in ("a", "b", "c"):
        file = tmp_path / "exec_2x1" / f"{model}.json" / "2026-01-01T00.00.00.000Z" / f"{model}.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({"run_id": "2026-01-01T00.00.00.000Z", "model": model}))
    assert report.multiply_records(tmp_path) == (3, 197)
    files = list(tmp_path.glob(report.RECORD_FILES))
    assert len(files) == 200
    assert all(json.loads(file.read_text())["run_id"] == file.parent.name for file in files)


def test_a_stream_and_the_bare_bytes_are_measured_in_turn(monkeypatch):
    for name, value in (("IMAGES", 20), ("EPOCHS", 1), ("BATCH_SIZE", 8)):
        monkeypatch.setattr(stream, name, value)
    result = stream.measure(2, lambda sentence: None)
    assert len(result.ours) == len(result.reference) == 2 and min(result.ours) > 0
    assert "3 frames" in result.notes[0] and result.met is None


def test_growth_asks_for_images_that_outlast_the_start():
    with pytest.raises(UserError, match=r"--growth is 500.*Ask for 10000"):
        growth.measure(parse_arguments(["--growth", "500"]), print)


def test_a_gpu_is_measured_with_every_network_in_both_precisions_and_layouts(capsys):
    planned = list(gpu.cases(["torchvision:resnet18"], compiled=True))
    assert {(one.precision, one.layout) for one in planned} == set(product(("fp32", "bf16"), ("nchw", "nhwc")))
    assert [one.batch for one in planned[: len(gpu.BATCHES)]] == list(gpu.BATCHES)
    assert {one.size for one in planned} == {224}
    assert sum(one.compiled for one in planned) == 1
    assert {one.size for one in gpu.albert_cases()} == set(gpu.TOKENS)


def test_without_a_gpu_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert gpu.main([]) == 1
    assert "torch sees no GPU" in capsys.readouterr().err


def test_kills_compare_the_tables_that_are_believed(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    for name, order in (("a/images", ["2", "1"]), ("a/features", ["1"])):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        parquet.write_table(pa.table({"image_id": order}), folder / "part-0.parquet")
    assert kills.tables(tmp_path) == {}
    for name in kills.TABLES:
        (tmp_path / "data" / "a" / name / "_SUCCESS").touch()
    (tmp_path / "data" / "a" / "features.json").write_text(json.dumps({"rows": 2}))
    assert kills.tables(tmp_path) == {"images": (("image_id", "['1', '2']"),)}
