from tests.factories.records import make_grown_study, make_predictions, make_record
from tests.factories.report import content_of, text_of

from cifar_pipelines.judging.metrics import evaluate
from cifar_pipelines.report.chapters.every_study import tell_every_study
from cifar_pipelines.report.document.blocks import Figure, Section, walk


def test_every_study_is_told_with_all_its_sections():
    records = make_grown_study()
    content = content_of(records)
    document = tell_every_study(content)
    studies = [section for section in document.blocks if section.key == "study"]
    assert len(studies) == 2
    told = {block.key for block in studies[0].blocks if isinstance(block, Section)}
    assert told == {"verdict", *content.study.sections} and {"scores", "engines", "components"} <= told
    assert {"growth", "plots", "left_out", "parallelism", "reading", "sources"} <= {
        section.key for section in document.blocks
    }
    shown = {block.name for block in walk(document.blocks) if isinstance(block, Figure)}
    assert shown == {figure.name for part in content.figures.values() for figure in part}


def test_classes_without_test_images_are_said_where_macro_scores_are_shown():
    absent = evaluate(make_predictions(60, ("a", "b", "c"), present=[0, 1]), ("a", "b", "c"))
    whole = evaluate(make_predictions(60, ("a", "b", "c")), ("a", "b", "c"))
    for metrics, said in ((absent, True), (whole, False)):
        content = content_of({"one": make_record("one", metrics=metrics)})
        text = text_of(content.study.sections["scores"].blocks)
        assert (
            "Classes without test images: 1 of 3: c. Such a class counts as 0 in the macro averages" in text
        ) == said
