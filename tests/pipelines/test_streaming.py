import json
import os
import pickle
import signal
import threading
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner
from matplotlib import pyplot as plt
from tests.factories.learners import CHOSEN, MODELS, block
from tests.factories.processes import alive, descendants_of, wait_until

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.places import place
from cifar_pipelines.datasets.files import ArraysDataset
from cifar_pipelines.incremental.states import digest
from cifar_pipelines.incremental.training import Frames, Law, StreamTraining
from cifar_pipelines.judging.predictions import check_predictions
from cifar_pipelines.learners import LearningTask, create_learner
from cifar_pipelines.pipelines.streaming import create_pipeline, frame_features, learn_node, nodes
from cifar_pipelines.prediction import run
from cifar_pipelines.prediction.command import predict
from cifar_pipelines.records import saved_models
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.saved_models import model_path
from cifar_pipelines.streaming.journal import committed
from cifar_pipelines.streaming.landing import Landing
from cifar_pipelines.streaming.wire import Frame, StreamImage

SIZES = (20, 7, 33, 24, 36)  # of the frames: 120 images in all

# In a process of its own: learns what has landed, a frame a micro-batch. The first task that goes on from a commit kills its executor once
# it has drafted what it learned, so that nobody hears of it. The argument is a folder with what is given to the node.
LEARNS_AND_LOSES_AN_EXECUTOR = """
import pickle, sys
from pathlib import Path
import psutil
from cifar_pipelines.pipelines.streaming import learn_node, learning, nodes
from cifar_pipelines.spark.run_context import RunContext
from tests.factories.runtime import make_runtime

folder, take = Path(sys.argv[1]), learning._take_in_task
course, block, *of_features = pickle.loads((folder / "given").read_bytes())

def take_and_die(course, model, newest, *rest):
    taken = take(course, model, newest, *rest)
    if newest is not None and not (folder / "lost").exists():
        (folder / "lost").touch()
        next(one for one in psutil.Process().parents() if one.name() == "java").kill()
    return taken

learning._take_in_task = take_and_die
with make_runtime(1, 1, "512m", folder) as runtime:
    context = RunContext("2024-01-02T03.04.05.678Z", runtime.info, runtime.setting)
    stream = nodes.configure_stream(block)
    learn_node.learn(course, stream, *of_features, folder / "commits", folder / "features", context)
"""


def land(folder, ingested, first=1, last=5, ended=True):
    """Lets the training images of the shared tables land in frames."""
    train = ingested.manifest[ingested.manifest["split"] == "train"].sort_values("image_id")
    labels = dict(zip(train["image_id"], train["label"], strict=True))
    ids = np.random.default_rng(3).permutation(train["image_id"].to_numpy())
    ends = np.cumsum(SIZES)
    with Landing(folder, 100, ["here"]) as landing:
        landing.admit("test", {"digest": "digest", "classes": ingested.info["class_names"]}, "here")
        for number in range(first, last + 1):
            chosen = ids[ends[number - 1] - SIZES[number - 1] : ends[number - 1]].tolist()
            images = [StreamImage(one, int(labels[one]), image) for one, image in ingested.source.read(chosen)]
            landing.land("test", Frame(number, 0, 1.0, 1.0, tuple(images)))
        if ended:
            landing.end("test", last)


@pytest.fixture(scope="module")
def landing(ingested, tmp_path_factory):
    folder = tmp_path_factory.mktemp("landing") / "stream"
    land(folder, ingested)
    return folder


@pytest.fixture
def learn(ingested, extracted, run_context, tmp_path):
    """Returns a function that lets the learners learn from a folder."""

    def learn(folder, commits=tmp_path / "commits", **changes):
        stream = nodes.configure_stream(block(folder, **changes))
        course = nodes.plan_course(ingested.images, extracted.features, extracted.info, ingested.info, stream, 42)
        given = (extracted.info, extracted.state, extracted.spec, commits, tmp_path / "features", run_context)
        return learn_node.learn(course, stream, *given)

    return learn


def assert_the_same(learned, rows, finished):
    """The learners have the weights of the undisturbed run, and learned each image once, in order."""
    assert digests(learned) == {
        name: digest(finished.catalog.load(f"streaming.{name}.learner").model.state) for name in CHOSEN
    }
    for name in CHOSEN:
        blocks = rows[rows["model"] == name].sort_values("first")
        assert blocks["first"].tolist() == [0, *blocks["images"].cumsum()[:-1]] and blocks["images"].sum() == sum(SIZES)


def digests(learned):
    return {name: digest(model.state) for name, model in learned.items()}


@pytest.fixture(scope="module")
def straight(ingested, extracted, landing):
    """Ridge on the features of all images at once, without Spark Streaming."""
    table = extracted.features.where("split = 'train'").toPandas().set_index("image_id")
    frames = pd.concat(
        [pd.read_parquet(file) for file in sorted((*landing.glob("*.parquet"), *landing.glob("*/*.parquet")))]
    )
    x = np.stack(table.loc[frames["image_id"], "features"].to_numpy())
    task = LearningTask(tuple(ingested.info["class_names"]), 32, 42)
    training = StreamTraining(create_learner("ridge", task, {"penalty": 0.1}), Law(block=16), None, 1)
    numbers = (frames[column].to_numpy(np.int64) for column in ("sequence", "position", "epoch"))
    training.take(Frames(*numbers, x, frames["label"].to_numpy(np.int64)))
    training.finish()
    return training.learner


@pytest.fixture(scope="module")
def finished(ingested, extracted, parameters, run_context, landing, tmp_path_factory):
    """Two learners, trained and judged by the whole pipeline on the project's own catalog."""
    from tests.pipelines.test_spark_ml import under

    folder = tmp_path_factory.mktemp("run")
    config = {
        k: v for k, v in load_configuration()["catalog"].items() if "." in k or "run_record" in k or "stream" in k
    }
    catalog = DataCatalog.from_config(under(config, folder), save_version="2024-01-02T03.04.05.678Z")
    catalog["images"], catalog["images_info"] = ingested.images, ingested.info
    catalog["features"], catalog["features_info"] = extracted.features, extracted.info
    catalog["extractor_state"] = extracted.state
    catalog["params:features"] = extracted.spec
    catalog["run_context"], catalog["parameters"] = run_context, parameters
    catalog["params:subset.seed"] = 42
    catalog["params:streaming"] = block(landing)
    SequentialRunner().run(create_pipeline(CHOSEN), catalog)
    plt.close("all")
    return SimpleNamespace(catalog=catalog, folder=folder)


@pytest.mark.parametrize("name", CHOSEN)
def test_a_learner_is_judged_and_recorded_as_every_other_model(name, finished):
    record = finished.catalog.load(f"{name}_run_record")
    assert not RunRecord.from_json(json.loads(json.dumps(record))).is_extraction
    assert (record["model"], record["family"]) == (name, "streaming")
    assert record["metrics"]["n"] == 30 and record["params"]["law.block"] == 16
    assert record["timings"]["fit_s"][0] > 0 and record["timings"]["extract_s"][0] > 0
    assert record["resources"]["jobs"] > 0 and len(record["job_groups"]) == 1
    predictions = finished.catalog.load(f"streaming.{name}.predictions")
    assert len(check_predictions(predictions, range(10)).label) == 30
    history = finished.catalog.load(f"streaming.{name}.history")
    assert history["images"].sum() == 120 and history["n"].iloc[-1] == 120
    assert history["holdout_n"].dropna().eq(20).all() and history["holdout_n"].notna().sum() >= 3
    assert finished.catalog.load(f"streaming.{name}.stream_findings")["prequential"]["n"] == 120
    assert list((finished.folder / "data/08_reporting").rglob(f"{name}/stream.png"))


def test_a_saved_learner_predicts_the_test_images_again_by_the_command(
    finished, ingested, extracted, spark, tmp_path, monkeypatch
):
    name = "stream_ridge"
    monkeypatch.setattr(saved_models, "place", lambda name: finished.folder / place(name))
    monkeypatch.setattr(run, "SparkRuntime", lambda *_: nullcontext(spark))
    path = model_path(RunRecord.from_json(finished.catalog.load(f"{name}_run_record")))
    ArraysDataset(filepath=str(path.parents[3] / "extractor_state.npz")).save(extracted.state)
    expected = finished.catalog.load(f"streaming.{name}.predictions").set_index("image_id")
    for image_id, image in ingested.source.read(expected.index):
        file = tmp_path / "new" / f"{image_id}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(image)
    done = CliRunner().invoke(predict, [name, str(tmp_path / "new"), "--output", str(tmp_path / "labels.csv")])
    assert done.exit_code == 0, done.output
    found = pd.read_csv(tmp_path / "labels.csv")
    expected = expected.loc[found["image"].str.removesuffix(".png")]
    assert len(found) == 30
    assert list(found["label"]) == [ingested.info["class_names"][number] for number in expected["prediction"]]
    assert np.allclose(found["probability"], [max(row) for row in expected["probability"]], atol=1e-6)


def test_fit_times_of_all_learners_add_up_to_what_one_waits_for(finished):
    records = [finished.catalog.load(f"{name}_run_record") for name in CHOSEN]
    (learned_s,) = {record["stream"]["learn_s"] for record in records}
    # The images that fill no block are learned at the end, by the driver.
    assert sum(record["timings"]["fit_s"][0] for record in records) == pytest.approx(learned_s, rel=0.1)


def test_what_is_learned_by_spark_is_what_is_learned_at_once(finished, straight):
    state, expected = finished.catalog.load("streaming.stream_ridge.learner").model.state, straight.state()
    assert state.keys() == expected.keys()
    assert all(np.allclose(state[key], expected[key], rtol=1e-4, atol=1e-4) for key in state)


def test_held_out_images_are_the_first_by_rank_and_not_by_id(spark, tmp_path):
    ids, ranks = ["bear-1", "bear-2", "wolf-1", "wolf-2"], [2, 0, 3, 1]
    rows = [(one, one[0] == "w", "test", rank) for one, rank in zip(ids, ranks, strict=True)] + [("cat", 0, "train", 0)]
    images = spark.session.createDataFrame(
        [(one, int(label), split, rank) for one, label, split, rank in rows],
        "image_id string, label int, split string, rank long",
    )
    features = images.drop("rank").selectExpr("*", "array(float(label)) as features")
    images_info = {"fingerprint": "f", "class_names": ["bear", "wolf"], "test_size": 4}
    stream = nodes.stream_of(block(tmp_path, holdout_images=2))
    features_info = {"images_fingerprint": "f", "dimension": 1}
    x, label = nodes.plan_course(images, features, features_info, images_info, stream, 42).holdout
    assert label.tolist() == [0, 1] == x[:, 0].tolist()


def test_after_a_stream_has_ended_its_commits_are_gone_and_its_frames_count_as_learned(finished, landing):
    assert committed(landing) == len(SIZES)
    assert not [path for path in finished.folder.rglob("stream_commits/*") if path.name != "lock"]
    assert not list(landing.glob("*.parquet")) and len(list(landing.glob("_learned/*.parquet"))) == len(SIZES)


def test_engine_micro_batches_and_stored_features_change_no_bit(learn, finished, landing, caplog, tmp_path):
    expected = {name: digest(finished.catalog.load(f"streaming.{name}.learner").model.state) for name in CHOSEN}
    learned, rows, _, log = learn(landing, engine="driver", frames_per_trigger=100)
    assert digests(learned) == expected
    assert (rows.groupby("model")["images"].sum() == 120).all()
    assert log["sequence"].tolist() == [1, 2, 3, 4, 5] and log["images"].tolist() == list(SIZES)
    assert not log["live"].any()
    # Until its records are there, what was learned is what another run goes on with.
    learned, _, reports, log = learn(landing, engine="driver", frames_per_trigger=100)
    assert digests(learned) == expected and log.empty and "An earlier run has learned all 5 frames" in caplog.text
    assert reports["stream_ridge"].stream is None
    learn_node.forget_commits(tmp_path / "commits", {"run_id": "this one"})
    learned, _, reports, _ = learn(landing, engine="driver", frames_per_trigger=1)
    assert digests(learned) == expected and "120 of them were stored" in caplog.text
    went = reports["stream_ridge"].stream
    assert (went.late_p50_s, went.late_p99_s, went.waiting, went.exact) == (None, None, None, True)


def test_augmented_images_are_others_and_the_same_again(learn, finished, landing, tmp_path):
    given = {"engine": "driver", "augmentation": "flip"}
    learned, *_ = learn(landing, **given)
    again, *_ = learn(landing, tmp_path / "other", **given, frames_per_trigger=100, store_features=False)
    assert digests(learned) == digests(again)
    assert digests(learned)["stream_ridge"] != digest(
        finished.catalog.load("streaming.stream_ridge.learner").model.state
    )


def test_a_stream_that_does_not_go_on_is_given_up_and_goes_on_later(learn, finished, ingested, tmp_path):
    land(tmp_path / "stream", ingested, last=2, ended=False)
    with pytest.raises(
        UserError, match=r"no frame has landed in .*, where the stream has not ended; 2 frames are learned"
    ):
        learn(tmp_path / "stream", engine="driver", patience_s=1)
    changed = MODELS | {"stream_ridge": MODELS["stream_ridge"] | {"options": {"penalty": 0.2}}}
    with pytest.raises(UserError, match=r"models.stream_ridge.options.penalty \(commit: 0.1; now: 0.2\)"):
        learn(tmp_path / "stream", engine="driver", models=changed)
    # A query that finds nothing to do goes on when frames come.
    later = threading.Timer(2, land, (tmp_path / "stream", ingested, 3))
    later.start()
    learned, rows, *_ = learn(tmp_path / "stream", engine="driver")
    later.join()
    assert (rows.groupby("model")["images"].sum() == 120).all()
    assert digests(learned)["stream_ridge"] == digest(
        finished.catalog.load("streaming.stream_ridge.learner").model.state
    )


def test_a_frame_that_has_landed_and_is_gone_is_named(learn, ingested, tmp_path):
    land(tmp_path / "stream", ingested)
    (tmp_path / "stream" / "0000000005.parquet").unlink()
    with pytest.raises(UserError, match=r"0000000005.parquet has landed and is not there any more"):
        learn(tmp_path / "stream", engine="driver")


def test_a_python_worker_that_is_killed_with_its_features_changes_no_bit(
    learn, finished, landing, tmp_path, monkeypatch
):
    killed, extract_frames = tmp_path / "killed", frame_features.extract_frames

    def extract_and_die(batches, job):
        made = list(extract_frames(batches, job))
        if made and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield from made

    monkeypatch.setattr(frame_features, "extract_frames", extract_and_die)
    learned, rows, *_ = learn(landing)
    assert killed.exists()
    assert_the_same(learned, rows, finished)


@pytest.mark.e2e
def test_an_executor_and_then_the_driver_that_are_killed_change_no_bit(
    learn, finished, ingested, extracted, start_python, tmp_path
):
    folder = tmp_path / "stream"
    land(folder, ingested, last=4, ended=False)
    given = block(folder, frames_per_trigger=1)
    course = nodes.plan_course(
        ingested.images, extracted.features, extracted.info, ingested.info, nodes.configure_stream(given), 42
    )
    content = (course, given, extracted.info, extracted.state, extracted.spec)
    (tmp_path / "given").write_bytes(pickle.dumps(content))
    driver = start_python(LEARNS_AND_LOSES_AN_EXECUTOR, tmp_path)
    # The stream has not ended, so the driver is in the midst of a frame or waits for one.
    assert wait_until(lambda: committed(folder) >= 3 or driver.poll() is not None, 300)
    assert driver.poll() is None, driver.stdout.read()
    assert (tmp_path / "lost").exists()
    below = descendants_of(driver)
    driver.kill()
    assert wait_until(lambda: driver.poll() is not None and not alive(below), 20)
    land(folder, ingested, first=5)
    learned, rows, _, log = learn(folder)
    assert log["sequence"].min() > 3  # it went on, and did not begin anew
    assert_the_same(learned, rows, finished)
