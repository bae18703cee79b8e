import io
import json
import shutil
from dataclasses import replace

import numpy as np
from kedro.io import DataCatalog
from rich.console import Console
from tests.factories.experiment import EXPERIMENT, record, shelve
from tests.factories.records import make_record

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.images import encode_png
from cifar_pipelines.common.places import place
from cifar_pipelines.experiment import kept_images, run
from cifar_pipelines.experiment.plan import Experiment
from cifar_pipelines.experiment.runner import StepRunner
from cifar_pipelines.sources import open_source
from cifar_pipelines.streaming.journal import JOURNAL, Journal, Producer


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
