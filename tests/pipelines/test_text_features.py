"""Texts on the shared cluster: the table, tf-idf by Spark ML, a classifier, and its predictions of new texts."""

from types import SimpleNamespace

import numpy as np
import pytest
from tests.factories.runtime import ingest
from tests.factories.texts import write_reviews

from cifar_pipelines.classifiers import Task, create_estimator
from cifar_pipelines.common.contents import TEXT
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.extractors import create_extractor, state_sha256
from cifar_pipelines.pipelines.features import nodes
from cifar_pipelines.pipelines.features.specification import FeaturesSpec, create_checked_extractor
from cifar_pipelines.pipelines.ingestion.nodes import IngestionSpec, SubsetSpec, index_source, select_images
from cifar_pipelines.pipelines.new_images import NewImages
from cifar_pipelines.pipelines.spark_ml.nodes import cache_tables
from cifar_pipelines.pipelines.spark_ml.saved import predictor_of
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.sources import open_source

OPTIONS = {"tfidf": {"dimensions": 4096, "least_texts": 1}}
SPEC = FeaturesSpec("tfidf", None, None, "auto", 16, 2, OPTIONS)


@pytest.fixture(scope="module")
def texts(spark, run_context, parameters, tmp_path_factory):
    folder = write_reviews(tmp_path_factory.mktemp("reviews"), train=120, test=12)
    (folder / "test" / "pos" / "latin.txt").write_bytes(b"caf\xe9")
    (folder / "test" / "pos" / "empty.txt").write_bytes(b"<br />")
    source = open_source("text_folder", str(folder))
    manifest = select_images(index_source(source), SubsetSpec(120, 14, 1))
    images, info = ingest(source, manifest, IngestionSpec("skip"), run_context, tmp_path_factory.mktemp("table"))
    extractor = create_checked_extractor(SPEC)
    state = nodes.prepare_extractor(extractor, images, info, 1)
    features, features_info, record = nodes.extract_features(
        images, info, extractor, state, SPEC, parameters, run_context
    )
    return SimpleNamespace(
        source=source, manifest=manifest, images=images, info=info, extractor=extractor, state=state, features=features,
        features_info=features_info, record=record,
    )  # fmt: skip


def test_the_table_says_that_it_is_of_texts_and_what_was_wrong_with_some(texts):
    assert texts.info["content"] == "text"
    assert texts.info["images_treated"] == {"rid of HTML line breaks": 66}
    assert texts.info["bad_images"] == [
        "test/pos/empty.txt (no word in it)", "test/pos/latin.txt (byte 0xe9 at position 3 is not UTF-8)"
    ]  # fmt: skip
    row = texts.images.where("image_id = 'train/pos/1.txt'").first()
    words = bytes(row["image"]).decode().replace("<br />", " ").split()
    assert (row["height"], row["width"]) == (1, len(words))


def test_texts_that_cannot_be_read_end_the_run_by_name(texts, run_context, tmp_path):
    with pytest.raises(
        UserError, match=r"2 of 134 texts cannot be decoded: test/pos/empty.txt \(no word in it\); test"
    ):
        ingest(texts.source, texts.manifest, IngestionSpec("fail"), run_context, tmp_path)


def test_a_weight_is_the_inverse_document_frequency_that_one_counts(texts):
    from sklearn.feature_extraction.text import CountVectorizer

    train = texts.images.where("split = 'train'").select("image").collect()
    read = [bytes(row["image"]).decode().replace("<br />", " ") for row in train]
    counts = CountVectorizer(token_pattern=r"\w+", ngram_range=(1, 2), binary=True).fit_transform(read)
    expected = np.log((len(read) + 1) / (np.asarray((counts > 0).sum(axis=0)) + 1))
    found = texts.state["idf"]
    assert found.shape == (4096,) and found.max() == pytest.approx(expected.max())


def test_vectors_are_sparse_of_unit_length_and_identified(texts):
    row = texts.features.first()
    assert row["features"].norm(2) == pytest.approx(1) and len(row["features"].indices) < 60
    assert texts.features.columns == ["image_id", "label", "split", "features"]
    info = texts.features_info
    assert info["dimension"] == 4096 and info["state_sha256"] == state_sha256(texts.state) and info["rows"] == 132
    record = RunRecord.from_json(texts.record)
    assert record.is_extraction and record.data.content == "text" and record.timings.extract_s[0] > 0


def test_a_classifier_learns_from_them_and_predicts_new_texts_as_it_did_the_test_texts(texts, spark, run_context):
    train, test, _ = cache_tables(texts.features, texts.features_info, texts.info, OPTIONS, run_context)
    task = Task(4096, 2, 0, 2)
    params = {"reg_param": 0.001, "standardize": False}
    model = create_estimator("logistic_regression", task, params).fit(train)
    scored = {row["image_id"]: row for row in model.transform(test).collect()}
    assert np.mean([row["label"] == row["prediction"] for row in scored.values()]) > 0.85
    predict = predictor_of(lambda: model, texts.extractor, texts.state, None, 16)
    new = NewImages(spark.session, texts.source.path, ["test/pos/0.txt", "test/pos/empty.txt"], 2, TEXT)
    (found,) = predict(new).to_dict("records")
    np.testing.assert_allclose(found["probability"], scored["test/pos/0.txt"]["probability"].toArray())
    assert new.bad == {"test/pos/empty.txt": "no word in it"}
    given = NewImages(spark.session, {"1": b"A wonderful, brilliant film!"}, ["1"], 2, TEXT)
    (found,) = predict(given).to_dict("records")
    assert found["prediction"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ngrams": 6}, "ngrams is 6, but must be at most 5"),
        ({"dimensions": 1}, "dimensions is 1, but must be"),
        ({"least_texts": 0}, "least_texts is 0, but must be"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        create_extractor("tfidf", options=options).check()


def test_weights_and_sizes_are_refused():
    with pytest.raises(UserError, match="tfidf has no variants, weights or input size"):
        create_extractor("tfidf", input_size=32)
