import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from kedro.io import DataCatalog
from rich.console import Console
from tests.factories.records import make_extraction_record, make_record

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import encode_png
from cifar_pipelines.common.params import parse_params
from cifar_pipelines.common.places import place
from cifar_pipelines.experiment import kept_images, run
from cifar_pipelines.experiment.expected import ExpectedSeconds
from cifar_pipelines.experiment.plan import Experiment, Step, about_report, twice, with_params
from cifar_pipelines.experiment.progress import Progress
from cifar_pipelines.experiment.runner import StepRunner, _last_words, _reason
from cifar_pipelines.experiment_command import experiment
from cifar_pipelines.records.choice import best_setting
from cifar_pipelines.records.digest import study_digest
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.shelf import RecordShelf
from cifar_pipelines.sources import open_source
from cifar_pipelines.spark import environment
from cifar_pipelines.spark.environment import params_of
from cifar_pipelines.streaming.journal import JOURNAL, Journal, Producer

PIPELINES = ("ingestion", "features", "spark_ml", "bigdl_cnn")
STEP = Step("exec_1x1", ("ingestion",), "", "images")
EXPERIMENT = Experiment(("exec_1x1", "exec_2x2"), PIPELINES, 2, "train_size=60")


def record(model, family, digest, fit_s, accuracy=0.5, margin=0.05, setting=(1, 1)):
    """The record of a run, as JSON; an extraction where nothing is fitted."""
    if family == "features":
        return make_extraction_record(setting, model=model, configuration=digest)
    score = {"value": accuracy, "low": accuracy - margin, "high": accuracy + margin}
    return make_record(model, setting, fit_s, family=family, configuration=digest, metrics={"accuracy": score})


def shelve(folder, setting, content, version):
    name = content["model"].replace(":", "-")
    file = folder / setting / f"{name}.json" / version / f"{name}.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(content))


def test_repeats_go_round_the_settings():
    steps = list(EXPERIMENT.steps())
    assert [(step.setting, step.repeat) for step in steps] == [
        *(("exec_1x1", 0), ("exec_1x1", 1), ("exec_2x2", 1), ("exec_1x1", 2), ("exec_2x2", 2))
    ]
    assert steps[0].pipelines == ("ingestion",)
    assert steps[1].arguments() == [
        *("run", "--pipelines", "features,spark_ml,bigdl_cnn", "--env", "exec_1x1", "--params", "train_size=60")
    ]


def test_what_runs_once_does_so_under_the_last_setting_after_all_repeats():
    steps = list(replace(EXPERIMENT, once=("transfer", "streaming")).steps())
    assert [(step.setting, step.pipelines, step.repeat) for step in steps[-2:]] == [
        ("exec_2x2", ("transfer",), 1),
        ("exec_2x2", ("streaming",), 1),
    ]
    assert {"transfer", "streaming"} <= set(replace(EXPERIMENT, once=("transfer", "streaming")).expected())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"settings": ("exec_9x1",)}, "exec_9x1: spark.cores.max = 9 exceeds the budget"),
        ({"settings": ("exec_1x1", "exec_1x1")}, "each once"),
        ({"pipelines": ("comparison",)}, "cannot run the pipeline 'comparison'"),
        ({"repeats": 0}, "--repeats is 0"),
        ({"once": ("spark_ml",)}, "--once names spark_ml, but what runs under every setting"),
        ({"once": ("ingestion",)}, "--once names ingestion"),
        ({"once": ("transfers",)}, "cannot run the pipeline 'transfers'"),
        ({"once": ("transfer",), "params_text": "transfer.selected=lite9"}, "Unknown transfer 'lite9'"),
        ({"params_text": "train_sizes=5"}, "Unknown parameter 'train_sizes'"),
        ({"params_text": "train_size"}, "every part must be name=value"),
        ({"params_text": "spark_ml.selected=random_forrest"}, "Unknown classifier 'random_forrest'"),
        ({"params_text": "bigdl_cnn.networks=lenett"}, "Unknown network 'lenett'"),
        ({"params_text": "bigdl_cnn.image_size=500"}, "takes images of 9 to 96 pixels"),
    ],
)
def test_mistakes_are_found_before_the_first_step(change, words):
    with pytest.raises(UserError, match=words):
        replace(EXPERIMENT, **change).check()


def test_parameters_are_replaced_by_name():
    assert with_params("train_size=1,seed=2", {"train_size": 5}) == "seed=2,train_size=5"
    assert with_params("", {"a.b": 1}) == "a.b=1"


def test_the_parameters_of_an_environment_come_before_those_that_are_given():
    given = "train_size=600,bigdl_cnn.models.airbench.recipe.epochs=1"
    text = params_of("test", given)
    assert (
        all(part in text.split(",") for part in given.split(","))
        and text.count("train_size=") == 1
        and "parallelism" not in text
    )
    assert "bigdl_cnn.engines=bigdl," in text
    under = load_configuration("test")["parameters"]
    under["subset"]["train_size"] = 600
    under["bigdl_cnn"] |= {"engines": "bigdl"}
    under["bigdl_cnn"]["models"]["airbench"]["recipe"]["epochs"] = 1
    given_anew = load_configuration("exec_2x1", parse_params(text))["parameters"]
    assert given_anew == under | {"train_size": 600}
    assert params_of("exec_2x1", given) == given
    replace(EXPERIMENT, params_text=text).check()


@pytest.fixture
def conf(tmp_path, monkeypatch):
    """Returns a function that makes an environment of a globals.yml."""
    monkeypatch.setattr(environment, "conf_source", lambda: tmp_path)
    monkeypatch.setattr(environment, "check_environment", lambda environment: None)

    def make(text):
        (tmp_path / "one").mkdir()
        if text is not None:
            (tmp_path / "one" / "globals.yml").write_text(text)
        return "one"

    return make


def test_steps_name_the_environment_that_parameters_came_from_which_changes_none_of_them():
    text = params_of("test", "seed=7")
    study = Experiment(("exec_1x1",), PIPELINES, 1, text, params_of="test")
    assert all(step.arguments()[-2:] == ["--params-of", "test"] for step in study.steps())
    assert parse_params(params_of("test", text)) == parse_params(text)


def test_an_environment_without_parameters_gives_none(conf):
    assert params_of(conf(None), "seed=1") == "seed=1"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("source: [", "The configuration in .* cannot be read"),
        ("report: {author: 'Lovelace, Ada'}", "report.author of the environment one holds a text with a comma"),
        ("a: {phases: [{train: all}]}", "a.phases of the environment one holds a block within a list"),
    ],
)
def test_what_an_environment_cannot_hand_on_is_named(text, words, conf):
    with pytest.raises(UserError, match=words):
        params_of(conf(text), "")


def test_the_parameters_of_an_unknown_environment_are_refused():
    with pytest.raises(UserError, match="Unknown environment 'tests'"):
        params_of("tests", "")


def test_every_model_is_expected_with_a_digest_of_its_own():
    expected = EXPERIMENT.expected()
    assert set(expected) == {"features", "spark_ml", "bigdl_cnn"}
    assert list(expected["bigdl_cnn"]) == ["airbench_bigdl", "airbench_torch_distributor"]
    digests = [digest for models in expected.values() for digest in models.values()]
    assert len(set(digests)) == len(digests)


def test_a_digest_follows_what_the_result_depends_on():
    def digest(pipeline, model, **params):
        return study_digest(load_configuration(runtime_params=params)["parameters"], pipeline, model, "embedded")

    forest = digest("spark_ml", "random_forest")
    assert forest == digest("spark_ml", "random_forest", bigdl_cnn={"networks": "lenet"})
    assert forest == digest("spark_ml", "random_forest", spark_ml={"selected": "random_forest"})
    other = {"spark_ml": {"classifiers": {"random_forest": {"params": {"trees": 7}}}}}
    assert forest != digest("spark_ml", "random_forest", **other)
    assert forest != digest("spark_ml", "random_forest", train_size=7)
    assert forest != digest("spark_ml", "random_forest", source_path="elsewhere")
    cnn = digest("bigdl_cnn", "lenet_bigdl")
    assert cnn == digest("bigdl_cnn", "lenet_bigdl", input_size=64)  # a CNN reads no features
    recipe = {"bigdl_cnn": {"models": {"lenet": {"recipe": {"epochs": 3}}}}}
    assert cnn != digest("bigdl_cnn", "lenet_bigdl", **recipe)


def test_what_is_recorded_is_found_and_what_is_not_is_missing(tmp_path):
    shelf, expected = RecordShelf(tmp_path), EXPERIMENT.expected()
    everything = ("features", "spark_ml", "bigdl_cnn")
    assert shelf.missing("exec_1x1", expected, everything, 1) == everything
    for family, models in expected.items():
        for model, digest in models.items():
            shelve(tmp_path, "exec_1x1", record(model, family, digest, [1.0]), "v1")
    assert shelf.missing("exec_1x1", expected, everything, 1) == ()
    assert shelf.missing("exec_1x1", expected, everything, 2) == everything
    assert shelf.missing("exec_2x2", expected, everything, 1) == everything


def test_a_record_of_another_configuration_or_a_broken_one_does_not_count(tmp_path):
    shelf = RecordShelf(tmp_path)
    shelve(tmp_path, "exec_1x1", record("lenet_bigdl", "bigdl_cnn", "other", [1.0]), "v1")
    broken = tmp_path / "exec_1x1" / "lenet_bigdl.json" / "v2" / "lenet_bigdl.json"
    broken.parent.mkdir()
    broken.write_text('{"model": "len')
    assert shelf.matching("exec_1x1", "bigdl_cnn", "lenet_bigdl", "digest") == []


def test_a_record_of_other_images_does_not_count(tmp_path):
    content = record("lenet_bigdl", "bigdl_cnn", "digest", [1.0])
    shelve(tmp_path, "exec_1x1", content, "v1")
    found = ("exec_1x1", "bigdl_cnn", "lenet_bigdl", "digest")
    assert RecordShelf(tmp_path).matching(*found, content["data"]["fingerprint"])
    assert RecordShelf(tmp_path).matching(*found, "another") == []


def test_the_best_setting_has_the_shortest_median_time():
    def runs(*times, accuracy=0.8):
        made = [record("m", "bigdl_cnn", "d", [time], accuracy) for time in times]
        return list(map(RunRecord.from_json, made))

    choice = best_setting({"exec_1x1": runs(9.0), "exec_2x1": runs(5.0, 50.0, 6.0), "exec_2x2": runs(7.0, 7.0, 1.0)})
    assert choice.best.setting == "exec_2x1" and choice.best.fit_s == 6
    assert "exec_2x2 needs 7.0 s (17% more)" in choice.reason and "measured once" in choice.reason
    # Accuracy is a guard only against a real loss.
    assert best_setting({"a": runs(1.0, accuracy=0.75), "b": runs(2.0)}).best.setting == "a"
    worse = best_setting({"a": runs(1.0, accuracy=0.6), "b": runs(2.0)})
    assert worse.best.setting == "b" and worse.less_accurate == ("a",)
    assert "passed over as less accurate: a" in worse.reason
    passed_over = best_setting({"a": runs(1.0, accuracy=0.6), "b": runs(2.0), "c": runs(3.0)}).reason
    assert passed_over.startswith(
        "Of the settings that are not less accurate, b has the shortest median fit time, 2.0 s; c"
    )
    assert choice.reason.startswith("exec_2x1 has the shortest median fit time, 6.0 s")
    assert best_setting({"a": []}) is None


def test_the_experiment_goes_on_after_a_failure_and_skips_what_is_there(tmp_path, monkeypatch):
    """Steps are faked; which of them run, and in which order, is not."""
    ran = []

    def fake_run(self, step, result=str):
        ran.append((step.setting, step.pipelines, step.params))
        if step.pipelines == ("comparison",):  # which shows the choice
            choice = json.loads(next((tmp_path / place("experiments")).glob("*.json")).read_text())["choice"]
            assert choice["best"]["setting"] == "exec_2x2"
        failed = step.setting == "exec_1x1" and "bigdl_cnn" in step.pipelines and "train_size=60" in step.params
        if "bigdl_cnn" in step.pipelines and not failed:
            digest = EXPERIMENT.expected()["bigdl_cnn"]["airbench_bigdl"]
            shelve(records, step.setting, record("airbench_bigdl", "bigdl_cnn", digest, [1.0]), f"v{len(ran)}")
        outcome = run.Outcome(step, "failed" if failed else "done")
        self.outcomes.append(outcome)
        return outcome

    records = tmp_path / place("run_records")
    monkeypatch.setattr(run, "PROJECT_PATH", tmp_path)
    monkeypatch.setattr(StepRunner, "run", fake_run)
    there = {60: make_record()["data"]["fingerprint"]}
    monkeypatch.setattr(kept_images.KeptImages, "_found", lambda self: there.get(self._params["train_size"]))
    monkeypatch.setattr(kept_images.KeptImages, "train_available", 100)
    once = replace(EXPERIMENT, repeats=1, pipelines=("ingestion", "bigdl_cnn"))
    said = io.StringIO()
    outcomes, choice = run.run_experiment(once, 120, False, Console(file=said, width=200))
    assert "The source has 100 training images, so airbench_bigdl learns from these instead of 120." in said.getvalue()
    larger = "train_size=100,bigdl_cnn.networks=airbench,bigdl_cnn.engines=bigdl"
    assert ran == [
        ("exec_1x1", ("bigdl_cnn",), "train_size=60"),
        ("exec_2x2", ("bigdl_cnn",), "train_size=60"),
        ("exec_2x2", ("ingestion", "bigdl_cnn"), larger),
        ("exec_1x1", ("comparison",), ""),
    ]
    assert [outcome.status for outcome in outcomes] == ["skipped", "failed", "done", "done", "done"]
    assert choice.best.setting == "exec_2x2"
    summary = json.loads(next((tmp_path / place("experiments")).glob("*.json")).read_text())
    assert summary["choice"]["best"]["setting"] == "exec_2x2" and summary["grow_to"] == 120


def test_another_stream_in_the_same_folder_is_learned_and_the_same_one_is_not(tmp_path, monkeypatch):
    """The step is faked: its server sends a stream, and it leaves a record of it."""
    study = Experiment(
        ("exec_1x1",), ("streaming",), 1, f"streaming.landing={tmp_path},streaming.selected=stream_ridge"
    )
    versions = iter("abc")

    def fake_run(self, step, result=str):
        if step.pipelines == ("streaming",):
            if not (tmp_path / JOURNAL).exists():
                Journal(3, 0, {"one": Producer("digest", [], last=3, ended=True)}).write(tmp_path)
            content = record("stream_ridge", "streaming", study.expected()["streaming"]["stream_ridge"], [1.0])
            shelve(tmp_path / place("run_records"), step.setting, content, next(versions))
            words.append(result())
        self.outcomes.append(run.Outcome(step, "done"))

    def rerun():
        outcomes, _ = run.run_experiment(study, None, False, Console(quiet=True))
        return outcomes[0].status

    words = []
    monkeypatch.setattr(run, "PROJECT_PATH", tmp_path)
    monkeypatch.setattr(StepRunner, "run", fake_run)
    monkeypatch.setattr(kept_images.KeptImages, "_found", lambda self: make_record()["data"]["fingerprint"])
    assert [rerun(), rerun()] == ["done", "skipped"] and "stream_ridge" in words[0]
    Journal(3, 0, {"one": Producer("other", [], last=3, ended=True)}).write(tmp_path)
    assert [rerun(), rerun()] == ["done", "skipped"]


def test_images_are_made_anew_and_measured_anew_where_their_source_has_changed(tmp_path, monkeypatch):
    """Steps are faked: ingestion leaves its description, a training its record of the images that are there."""
    ran, said, pictures = [], io.StringIO(), tmp_path / "pictures"
    params = f"source=image_folder,source_path={pictures},bigdl_cnn.networks=lenet,bigdl_cnn.engines=bigdl"
    study = Experiment(("exec_1x1",), ("ingestion", "bigdl_cnn"), 1, params)
    loader = load_configuration("exec_1x1", study.params)
    catalog = {name: loader["catalog"][name] for name in kept_images.IMAGES}
    monkeypatch.setattr(kept_images.KeptImages, "_kept", (DataCatalog.from_config(catalog), loader["parameters"]))
    digest = study.expected()["bigdl_cnn"]["lenet_bigdl"]
    table, description = (tmp_path / catalog[name]["filepath"] for name in ("images", "images_info"))

    def fake_run(self, step, result=str):
        ran.append(step.pipelines)
        if "ingestion" in step.pipelines:
            now = open_source("image_folder", str(pictures)).fingerprint()
            table.mkdir(parents=True, exist_ok=True)
            (table / "_SUCCESS").touch()
            info = {"source_fingerprint": now, "fingerprint": now[:16], "bad_images_skipped": 0}
            description.write_text(json.dumps(info))
        if "bigdl_cnn" in step.pipelines:
            content = record("lenet_bigdl", "bigdl_cnn", digest, [1.0])
            content["data"]["fingerprint"] = json.loads(description.read_text())["fingerprint"]
            shelve(tmp_path / place("run_records"), step.setting, content, f"v{len(ran)}")
        self.outcomes.append(run.Outcome(step, "done"))

    def rerun():
        outcomes, _ = run.run_experiment(study, None, False, Console(file=said))
        return [outcome.status for outcome in outcomes[:-1]]

    def draw(colour):
        for name in ("train/a/1", "train/b/1", "test/a/1", "test/b/1"):
            file = pictures / f"{name}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encode_png(np.full((8, 8, 3), colour, np.uint8)))

    for module in (run, kept_images):
        monkeypatch.setattr(module, "PROJECT_PATH", tmp_path)
    monkeypatch.setattr(StepRunner, "run", fake_run)
    draw(50)
    size = (pictures / "train/a/1.png").stat().st_size
    assert rerun() == ["done", "done"] and "anew" not in said.getvalue()
    draw(51)
    assert (pictures / "train/a/1.png").stat().st_size == size  # which alone would not tell
    assert rerun() == ["done", "done"]
    assert "Images are made anew: the images of the source have changed." in said.getvalue()
    assert rerun() == ["skipped", "skipped"]
    shutil.rmtree(pictures)  # the images are what is left of it
    assert rerun() == ["skipped", "skipped"]


@pytest.fixture
def runner(tmp_path):
    console = Console(file=(tmp_path / "out").open("w"), width=300)
    return StepRunner(tmp_path, tmp_path / "logs", Progress(console, [STEP, STEP]))


def test_a_step_that_fails_says_why_and_names_its_log(runner, tmp_path, monkeypatch):
    monkeypatch.setattr(Step, "arguments", lambda self: ["no-such-command"])
    outcome = runner.run(STEP)
    assert outcome.status == "failed" and "No such command" in outcome.reason
    assert "[1/2] images: failed after" in Path(tmp_path / "out").read_text()  # at once: nothing waits in a buffer
    assert outcome.log.exists()


def test_a_reason_is_whole_where_it_is_an_error_and_cut_between_words_where_it_was_only_printed(tmp_path):
    error, log = tmp_path / "step.error", tmp_path / "step.log"
    log.write_text("first\n" + "word " * 200 + "\n\n")
    reason = _reason(error, log)
    assert len(reason) <= 300 and reason.endswith("word …")
    error.write_text("Missing: images. This command makes them:\n\n    kedro run\n")
    assert _reason(error, log) == "Missing: images. This command makes them: kedro run"


def test_what_a_step_said_last_is_what_the_pipelines_said(tmp_path):
    log = tmp_path / "log"
    log.write_text("[03:44:05] INFO     lenet: epoch 4 of 6  \nSpark WARN Client: Neither spark.yarn\n2026 - INFO - \n")
    assert _last_words(log) == "lenet: epoch 4 of 6"
    log.write_text("creating: createDistriOptimizer\n")
    assert _last_words(log) == ""


def test_a_step_that_ends_well_is_done(runner, monkeypatch):
    monkeypatch.setattr(Step, "arguments", lambda self: ["--version"])
    outcome = runner.run(STEP)
    assert (outcome.status, outcome.reason) == ("done", "")


def test_what_is_typed_counts_before_what_the_file_of_a_study_says(monkeypatch):
    seen = []

    def see(plan, grow_to, again, console, seconds, watch):
        with watch(Progress(console, list(plan.steps()), ExpectedSeconds(seconds))):
            seen.append((plan, grow_to))
        return [], None

    monkeypatch.setattr(run, "run_experiment", see)
    common = ["--params-of", "animals", "--settings", "exec_2x1"]
    said = CliRunner().invoke(experiment, common, catch_exceptions=False).output
    CliRunner().invoke(experiment, [*common, "--once", "transfer", "--repeats", "2", "--grow-to", "900", "--no-page"])
    (as_filed, no_growth), (as_typed, growth) = seen
    assert as_filed.once == ("transfer", "streaming") and as_filed.repeats == 1 and no_growth is None
    assert as_typed.once == ("transfer",) and as_typed.repeats == 2 and growth == 900
    assert as_filed.pipelines == as_typed.pipelines == ("ingestion", "features", "spark_ml", "bigdl_cnn")
    assert re.match(r"4 steps, about \d+ min: measurements of", said) and "browser: http://127.0.0.1:" in said


@pytest.mark.parametrize("given", [[], ["--again"]])
def test_after_a_failure_it_says_what_tries_only_what_has_failed(given, monkeypatch):
    monkeypatch.setattr(run, "run_experiment", lambda plan, *_: ([run.Outcome(STEP, "failed")], None))
    words = ["--settings", "exec_1x1", "--pipelines", "ingestion", "--no-page", *given]
    result = CliRunner().invoke(experiment, words)
    assert f"the same command{' without --again' if given else ''} tries only them again." in result.output
    assert result.exit_code == 1


def test_only_what_is_about_the_report_reaches_the_comparison_and_all_images_do_not_grow():
    assert about_report("source=cifar10,report.author=Ada,train_size=60") == "report.author=Ada"
    assert about_report("") == ""
    assert (twice(60), twice("all")) == (120, 0)
