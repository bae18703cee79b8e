"""The answers of studies of texts, and of those that were judged on validation images."""

import re
import shlex

import pytest
from tests.factories.records import make_extraction_record, make_record
from tests.factories.report import make_document, missing_in, sections, text_of

from cifar_pipelines.common.configuration import load_configuration, set_run_parameters
from cifar_pipelines.common.params import parse_params
from cifar_pipelines.preflight import check_run
from cifar_pipelines.report.chapters.laboratory.questions import QUESTIONS


@pytest.fixture
def run_parameters_forgotten():
    """What a checked command has set counts for no other test."""
    yield
    set_run_parameters(None)


@pytest.mark.usefixtures("run_parameters_forgotten")
def test_a_study_of_texts_speaks_of_texts_and_prints_no_command_that_is_refused(tmp_path):
    data, tfidf = (
        {"source": "imdb", "content": "text", "class_names": ["neg", "pos"]},
        {"extractor": "tfidf", "precision": None, "input_size": None},
    )
    records = {
        "features": make_extraction_record(model="tfidf", data=data, features=tfidf),
        "model": make_record(data=data, features=tfidf),
    }
    document = make_document(records, tmp_path)
    made = sections(document)
    said = {name: text_of(made[name]) for name, *_ in QUESTIONS}
    assert "10,000 training and 500 test texts" in said["A2"] and "500 test texts" in text_of(document.lead)
    assert (
        "Spark itself extracts, in the JVM and without a Python worker" in said["A4"]
        and "numbers per text" in said["A4"]
    )
    for name in ("A11", "A12", "A13"):
        assert "CNNs read images alone, and this is a study of texts." in said[name] and missing_in(made[name]) == []
    commands = [words for name, *_ in QUESTIONS for words in missing_in(made[name]) if "kedro run" in words]
    assert commands and not any("bigdl_cnn" in words for words in commands)
    for words in commands:
        pipelines, params = (re.search(rf"--{name} (\S+)", words)[1] for name in ("pipelines", "params"))
        check_run(pipelines.split(","), load_configuration("exec_2x1", parse_params(params)))
    told = {name: words for name, words in said.items() if name != "A10"}  # which is about the code
    assert not [name for name, words in told.items() if re.search(r"\b(test|training) images?\b", words)]


def test_images_that_python_workers_saw_are_said_to_have_been(tmp_path):
    said = text_of(sections(make_document({"a": make_extraction_record(), "b": make_record()}, tmp_path))["A4"])
    assert "Every core of the executors runs one Python worker, which extracts its share of the images." in said
    assert "Spark itself" not in said and "numbers per image" in said


def test_a_study_that_was_judged_on_validation_images_says_so(tmp_path):
    classes = [{"class_name": "cat", "precision": 0.5, "recall": 0.5, "f1": 0.5, "roc_auc": 0.5, "support": 398}]
    data = {"test_size": 0, "validation_size": 398}
    document = make_document({"a": make_record(data=data, metrics={"n": 398, "per_class": classes})}, tmp_path)
    lead, scores = text_of(document.lead), text_of(sections(document)["A7"])
    assert "398 validation images" in lead and "10,000 training and 398 validation images, seed 42" in lead
    assert "ROC AUC | validation images" in scores and "test image" not in lead + scores


@pytest.mark.usefixtures("run_parameters_forgotten")
def test_commands_name_the_images_of_this_run_and_can_be_pasted_into_a_shell(tmp_path):
    folder, group = "/data/my photos (2)", r"[^/]+/([^/]+/(?:r\d*_)?)\d+"
    given = parse_params(f"source=image_folder,source_path={folder}")
    set_run_parameters(load_configuration("exec_2x1", given)["parameters"])
    data = {"source": "image_folder", "validation": {"share": 0.2, "by": "group", "group": group}}
    said = missing_in(sections(make_document({"a": make_record(data=data)}, tmp_path, plots=False))["A1"])
    typed = shlex.split(said[0].partition("To make it: ")[2])
    assert typed[:4] == ["kedro", "run", "--pipelines", "ingestion"] and len(typed) == 6
    asked = parse_params(typed[5])
    assert asked["source_path"] == folder and asked["validation"] == {"share": 0.2, "by": "group", "group": group}
