from tests.factories.experiment import EXPERIMENT, record, shelve

from cifar_pipelines.records.shelf import RecordShelf


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
