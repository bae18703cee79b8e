import re
from dataclasses import replace

import pytest
from tests.factories.records import make_cnn_record, make_extraction_record, make_grown_study, make_record, make_study
from tests.factories.report import (
    LARGER,
    content_of,
    figures_in,
    make_document,
    make_many,
    missing_in,
    rows_of,
    sections,
    tables_in,
    text_of,
    write_results,
)

from cifar_pipelines.report.chapters.laboratory.questions import QUESTIONS, answer_questions
from cifar_pipelines.report.document.blocks import Figure, Section, plain
from cifar_pipelines.report.document.to_html import to_html
from cifar_pipelines.report.document.to_markdown import to_markdown
from cifar_pipelines.report.document.to_typst import to_pdf
from cifar_pipelines.report.sections.cells import reference


@pytest.fixture
def complete(tmp_path):
    """A report on everything that there can be."""
    records = make_grown_study()
    write_results(tmp_path, records)
    return sections(make_document(records, tmp_path))


def test_every_question_has_its_section_in_order(complete):
    assert list(complete)[:15] == [name for name, *_ in QUESTIONS] == [f"A{n}" for n in range(1, 16)]
    assert list(complete)[15:] == ["others", "left_out", "reading", "versions", "sources"]


def test_nothing_is_missing_where_everything_is_there(complete):
    assert {name: missing_in(blocks) for name, blocks in complete.items() if missing_in(blocks)} == {}
    for name, blocks in complete.items():
        assert blocks, name
        assert not re.search(r"\b(nan|None)\b", text_of(blocks).replace("None:", "")), name


def test_what_the_sections_say(complete):
    said = {name: text_of(blocks) for name, blocks in complete.items()}
    assert "<source_classes.png" in said["A1"] and "<samples.png" in said["A1"] and "airplane" in said["A1"]
    assert "10,000 training and 500 test images" in said["A2"] and "<subset_classes.png" in said["A2"]
    assert "data/02_intermediate/synthetic/train10000-test500-seed42/manifest.csv" in said["A3"]
    assert "features: kmeans_patches | exec_1x1 | 1 | 1 | 48.0 | 219 | 6.1" in said["A4"]
    assert "LinearSVC | through OneVsRest | no | any" in said["A5"]
    assert (
        "random_forest. random_forest is a strong baseline. (as configured) [r" in said["A6"]
        and "maxIter 100" in said["A6"]
    )
    assert "airbench" not in said["A6"]
    assert "<confusion_matrix.png" in said["A7"] and "<roc.png" in said["A7"] and "<confidence.png" in said["A7"]
    assert "airbench_torch_distributor | 80.5% (77.0% to 84.0%)" in said["A7"]
    assert "exec_4x2 | 4 | 4 | 2 | 2 | 2 | 1024 MB | 2 | yes | [r" in said["A8"]
    assert "Training time of random_forest. Fastest under exec_2x2" in said["A9"]
    assert "<speedup.png" in said["A9"] and "<time_by_setting.png" in said["A9"] and "Accuracy." not in said["A9"]
    assert "engines/bigdl/estimator.py, train | executors | one worker per executor" in said["A10"]
    assert "airbench learns in few steps. (as configured)" in said["A11"] and "epochs 4" in said["A11"]
    assert "<learning_curves.png" in said["A11"]
    assert "images/s than BigDL Orca 2.4.0" in said["A12"] or "A tie in training speed" in said["A12"]
    assert "The best setting. exec_2x2 has the shortest median fit time of the CNN." in said["A13"]
    assert "20,000 instead of 10,000 images" in said["A13"]
    assert "airbench_bigdl | BigDL Orca 2.4.0 | 80.0% (76.5% to 83.5%)" in said["A14"]
    assert "The plot on page 1" in said["A14"]
    assert "Resource use." in said["A15"] and "Training time of" not in said["A15"]
    assert "core-seconds reserved" in said["A15"] and "<resources.png" in said["A15"]
    assert "Oversubscribed" in said["reading"]
    assert "kedro 1.7.0" in said["versions"] and "abc1234" in said["versions"]


def test_every_row_names_the_records_behind_it(complete):
    rows = {row["record"]: row for row in rows_of(complete["sources"])}
    assert len(rows) == 24 and all(row["in the tables"] == "yes" for row in rows.values())
    times = next(block for block in complete["A9"] if isinstance(block, Section) and block.key == "times")
    for row in rows_of(times.blocks):
        record = rows[row["records"].strip("[]")]
        assert (row["model"], row["setting"]) == (record["model"], record["setting"])
    grown = tables_in(complete["A13"])[-1]
    assert [plain(row[-1]) for row in grown.rows if plain(row[2]) == "20,000"] != []
    for row in grown.rows:
        file = rows[plain(row[-1]).strip("[]")]["file"]
        assert ("larger" in file) is (plain(row[2]) == "20,000")


def test_scores_name_the_latest_run_at_the_fastest_setting_alone(tmp_path):
    records = {
        f"run{day}": make_record(created=f"2026-11-{day}T10:00:00+00:00", accuracy=day / 100) for day in (20, 21, 22)
    }
    slower = make_record(created="2026-11-23T10:00:00+00:00", setting=(2, 2), fit_s=[90.0])
    made = sections(make_document(records | {"slower": slower}, tmp_path))
    scores, accuracy = tables_in(made["A7"])[:2]
    assert plain(scores.rows[0][-1]) == "[r3]" and plain(accuracy.rows[0][-1]) == "[r1–r3]"
    assert plain(accuracy.rows[1][-1]) == "[r4]"


def test_rows_of_another_source_name_their_own_records(tmp_path):
    """Growth is told over all studies, and labels are the same in each."""
    records = {
        "a": make_record(), "b": make_record(data=LARGER),
        "c": make_record(data={"source": "cifar10"}), "d": make_record(data=LARGER | {"source": "cifar10"}),
    }  # fmt: skip
    growth = content_of(records).sections["growth"]
    behind = [row["records"] for part in growth.blocks[1:] for row in rows_of(part.blocks)]
    assert sorted(behind) == ["[r1]", "[r2]", "[r3]", "[r4]"]


def test_references_are_short():
    written = {numbers: plain(reference(numbers)) for numbers in [(), (3,), (1, 2), (4, 1, 2, 3, 9, 11, 12)]}
    assert list(written.values()) == ["–", "[r3]", "[r1, r2]", "[r1–r4, r9, r11, r12]"]


@pytest.mark.parametrize(
    ("dropped", "said"),
    [
        (284, "Exact duplicates: 284 images of the source equal an earlier one and are in no split."),
        (0, ""),
        (None, ""),
    ],
)
def test_exact_duplicates_that_the_source_dropped_are_said(dropped, said, tmp_path):
    text = text_of(sections(make_document({"a": make_record(data={"equal_left_out": dropped})}, tmp_path))["A1"])
    assert said in text and ("duplicates" in text) is bool(said)


@pytest.mark.parametrize("record", [make_extraction_record(), make_cnn_record(), make_record()])
def test_one_record_is_enough(record, tmp_path):
    document = make_document({"a": record}, tmp_path, plots=False)
    assert to_pdf(document).startswith(b"%PDF")
    assert "nan" not in to_html(document).split()


def test_what_no_answer_shows_is_a_further_finding(tmp_path):
    content = content_of({"a": make_record()}, tmp_path)
    leaves, rain = Section("tea_leaves", "Tea leaves", ()), Section("weather", "Weather", ())
    study = replace(content.study, sections={**content.study.sections, "tea_leaves": leaves})
    bars = {**content.figures, "bars": (Figure(b"", "Bars", "bars.png"),)}
    more = replace(content, studies=(study,), sections={"weather": rain}, figures=bars)
    before = figures_in(sections(answer_questions(content))["further"])
    further = sections(answer_questions(more))["further"]
    assert [block for block in further if isinstance(block, Section)] == [leaves, rain]
    assert figures_in(further) - before == {"bars.png"}


def test_questions_may_be_asked_in_any_order_and_again(tmp_path):
    records = make_grown_study()
    write_results(tmp_path, records)
    content = content_of(records, tmp_path)
    first = {name: answer(content) for name, _, answer in QUESTIONS}
    assert {name: answer(content) for name, _, answer in reversed(QUESTIONS)} == first


def test_models_of_a_family_that_no_question_is_about_are_told_too(tmp_path):
    records = make_study() | {"new": make_record("albert", family="transfer_learning", accuracy=0.7)}
    content = content_of(records, tmp_path)
    made = sections(answer_questions(content))
    (other,) = (block for block in made["A6"] if isinstance(block, Section) and block.key == "other_models")
    assert "albert is a strong baseline. (as configured) [r" in text_of(other.blocks)
    assert rows_of(other.blocks)[0]["parameters"] == "maxIter 100"
    for name in ("A7", "A9", "A14", "A15"):
        assert "albert" in text_of(made[name]), name
    assert "kedro run --pipelines transfer_learning --env" in missing_in(made["A7"])[0]


def test_two_hundred_records(tmp_path):
    records = make_many()
    assert len(records) > 200
    document = make_document(records, tmp_path)
    pdf, page = to_pdf(document), to_html(document)
    n_pages = max(int(count) for count in re.findall(rb"/Count (\d+)", pdf))
    assert pdf.startswith(b"%PDF") and 15 < n_pages < 60
    assert page.count('id="r') == len(records)
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)


def test_strange_names_break_nothing(tmp_path):
    strange = "a|b*c_d<e>&\"'`#$@[x](y)\\"
    record = make_record(strange, justification=strange, git_revision=strange, params={strange: strange})
    record["data"] |= {"source": strange, "class_names": [strange]}
    document = make_document({strange: record}, tmp_path)
    assert to_pdf(document).startswith(b"%PDF")
    assert "<e>" not in to_html(document) and "\\<e>" in to_markdown(document)


def test_what_was_found_in_the_images_is_told_where_they_are(tmp_path):
    plain_record, record = make_record("LR"), make_record("LR")
    record["data"] |= {
        "copies_across_splits": {"test in train": 1, "predict in train": 2},
        "classes_without_test_images": ["cat"],
        "images_treated": {"turned upright": 3},
    }
    found = text_of(sections(make_document({"LR": record}, tmp_path))["A2"])
    assert "1 image of the split test is also in the split train, pixel by pixel" in found
    assert "2 images of the split predict are also" in found
    assert "cat: no test image shows it, which counts as 0 in macro averages" in found
    assert "3 images: turned upright." in found
    assert "pixel by pixel" not in text_of(sections(make_document({"LR": plain_record}, tmp_path))["A2"])
