"""Page 1 of the report, what one setting alone can say, own words, and models that guess."""

import io
from pathlib import Path

import pytest
from tests.factories.records import make_cnn_record, make_grown_study, make_record, make_study
from tests.factories.report import content_of, items_of, make_document, make_png, text_of

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.event_log.component_names import COMPONENTS
from cifar_pipelines.pipelines.comparison.nodes import compare_runs, select_main_study
from cifar_pipelines.plots import of_comparison
from cifar_pipelines.plots.of_comparison import plot_speedup
from cifar_pipelines.records.summary import SECTION
from cifar_pipelines.report.chapters.laboratory.questions import answer_questions
from cifar_pipelines.report.document.blocks import Figure, Paragraph, anchors, plain, walk
from cifar_pipelines.report.document.to_html import to_html
from cifar_pipelines.report.document.to_typst import to_typst
from cifar_pipelines.report.figures import shown_figure
from cifar_pipelines.report.sections.time import why_together

NOWHERE = Path("nowhere")


def summary_of(records):
    return compare_runs({name: lambda record=record: record for name, record in records.items()})[0]


def png_of(figure):
    """What a plot's file holds."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=40)
    return file.getvalue()


def test_page_1_answers_with_model_setting_reason_cautions_and_the_plot():
    document = make_document(make_grown_study(), NOWHERE)
    best, setting, why = (plain(block.spans) for block in document.lead[:3])
    assert best.startswith("The best model is airbench_torch_distributor: it is right on 80.5%") and best.endswith("]")
    assert setting.startswith("The best setting is exec_2x2: the 3 models measured under all settings train in ")
    assert why.startswith("Why: ")
    *cautions, _ = items_of(document.lead)
    assert 0 < len(cautions) <= 4 and all(caution.startswith("Caution: ") for caution in cautions)
    assert {span.text: span.target for span in document.lead[3].items[-1] if span.target} == {
        "A15": "#in_full",
        "A9": "#by_setting",
    }
    assert {"in_full", "by_setting"} <= anchors(document.blocks)
    (figure,) = (block for block in document.lead if isinstance(block, Figure))
    assert figure.name == "accuracy_time.png"
    assert "The plot on page 1 shows both." in text_of(document.blocks)
    source, _ = to_typst(document)
    assert source.index("The best model is") < source.index("outline(depth")


def test_more_than_four_cautions_are_in_a15():
    busy = {"host_load": {"other_cpu_share": 0.5}}
    found = {"copies_across_splits": {"test in train": 2}, "classes_without_test_images": ["a"]}
    record = make_record(setting=(8, 2), fit_s=[5.0], accuracy=0.11, **busy, data=found)
    lead = answer_questions(content_of({"a": record})).lead
    *cautions, further = items_of(lead)
    assert [words.split()[1] for words in cautions] == ["2", "no", "not", "times"]
    assert further.startswith("The cautions in full, with 2 more, ")


def test_why_adds_up_the_components_of_all_models_measured_under_all_settings():
    rows = summary_of(
        {
            f"{model}{cores}": make_record(model, (cores, 1), [seconds])
            for model, cores, seconds in (("svm", 1, 20.0), ("svm", 2, 12.0), ("forest", 1, 10.0), ("forest", 2, 8.0))
        }
    )
    joined = rows[[*SECTION, "label", "setting", "cores"]].assign(
        **dict.fromkeys(COMPONENTS, 0.0) | {"python_compute": rows["time_s"] * rows["cores"]}, application_id="app", group=[f"g{n}" for n in range(len(rows))],
        wall_s=rows["time_s"],
    )  # fmt: skip
    assert (
        "From exec_1x1, the slowest (30.0 s), to exec_2x1, the fastest (20.0 s), the largest difference is in Python workers"
        in (why_together(rows, joined))
    )
    assert why_together(rows, joined.iloc[1:]) is None and why_together(rows, joined.assign(group="g")) is None


def test_name_and_roll_number_stand_on_page_1_where_they_are_given_and_nowhere_else():
    records, ada = {"a": make_record()}, {"author": "Ada Lovelace", "roll_number": "ME21B001"}
    named = answer_questions(content_of(records, author=ada))
    assert "<p>Ada Lovelace, ME21B001 \u00b7 2026-11-20</p>" in to_html(named)
    assert named.subtitle in to_typst(named)[0]
    assert answer_questions(content_of(records)).subtitle == "2026-11-20"
    assert answer_questions(content_of(records, author={"roll_number": 4711})).by == "4711"


def test_own_words_take_the_place_of_those_that_are_shipped_and_are_marked():
    records = make_grown_study()
    own = {"reasons": {"random_forest": "I like trees.", "airbench": "It is fast."}}
    told = text_of(answer_questions(content_of(records, author=own)).blocks)
    assert "random_forest. I like trees. (own words)" in told and "random_forest is a strong baseline" not in told
    assert "naive_bayes. naive_bayes is a strong baseline. (as configured)" in told
    assert "It is fast. (own words)" in told


@pytest.mark.parametrize(
    ("block", "words"),
    [({"reasons": {"lenet": 5}}, "report.reasons.lenet is 5, but must be a text"), ({"name": "x"}, "author")],
)
def test_a_wrong_block_about_the_author_is_refused(block, words):
    with pytest.raises(UserError, match=words):
        content_of({"a": make_record()}, author=block)


def test_one_setting_is_one_sentence_instead_of_speed_up_efficiency_and_scaling():
    records = {"a": make_record(), "b": make_record("random_forest")}
    content = content_of(records)
    assert "scaling" not in content.study.sections
    times = text_of(content.study.sections["times"].blocks)
    assert "speed-up" not in times and "efficiency" not in times
    assert "No setting is the best, because all was measured under exec_2x1 alone." in text_of(
        content.study.answer.blocks
    )
    (sentence,) = walk([shown_figure(png_of(plot_speedup(summary_of(records))), "Speed-up", "speedup.png")])
    assert isinstance(sentence, Paragraph)
    assert text_of([sentence]).startswith("Speed-up. All was measured under exec_2x1 alone, so there is no speed-up")
    several = png_of(plot_speedup(summary_of(make_study())))
    assert isinstance(shown_figure(several, "Speed-up", "speedup.png"), Figure)
    assert isinstance(shown_figure(make_png(), "Any", "any.png"), Figure)


def test_plots_show_the_main_study_alone():
    records = make_grown_study()
    table, histories, *_ = compare_runs({name: lambda record=record: record for name, record in records.items()})
    study, own_histories, _ = select_main_study(table, histories, histories.iloc[:0])
    assert set(table["train_size"]) == {10000, 20000} and set(study["train_size"]) == {10000}
    assert set(own_histories["train_size"]) == {10000} and len(own_histories) < len(histories)
    assert content_of(records).study.rows.index.tolist() == study.index.tolist()
    assert len(of_comparison.plot_accuracy_time(study).axes) == 1


def test_a_model_that_is_no_better_than_guessing_is_called_so():
    guessing = make_record("naive_bayes", accuracy=0.11)
    content = content_of({"a": make_record(), "b": guessing})
    scores = text_of(content.study.sections["scores"].blocks)
    assert scores.count("no better than guessing (10.0%)") == 1
    assert "Caution: not shown to be better than guessing: naive_bayes." in text_of(content.study.answer.blocks)
    alone = text_of(content_of({"b": guessing}).study.answer.blocks)
    assert "guessing on 10.0%." in alone and "not shown to be better than guessing: naive_bayes." in alone


def test_guessing_always_names_the_most_frequent_class():
    classes = [{"class_name": "a", "support": 450}, {"class_name": "b", "support": 50}]
    record = make_record(accuracy=0.9, metrics={"per_class": classes})
    assert summary_of({"a": record})["chance"].iloc[0] == 0.9
    assert summary_of({"a": make_cnn_record()})["chance"].iloc[0] == 0.1


@pytest.mark.parametrize(
    ("train_size", "batch"), [(200, ",bigdl_cnn.models.airbench.recipe.batch_size=200"), (10000, "")]
)
def test_the_command_for_a_cnn_has_a_batch_that_fits_and_a_setting_of_the_study(train_size, batch):
    record = make_record(setting=(2, 2), data={"train_size": train_size})
    over = make_record(setting=(8, 2), created="2026-11-21T10:58:11+00:00", data={"train_size": train_size})
    blocks = make_document({"a": record, "b": over}, NOWHERE).blocks
    missing = next(block for block in walk(blocks) if isinstance(block, Paragraph) and "bigdl_cnn" in block.command)
    params = f"source=synthetic,train_size={train_size},test_size=500,seed=42{batch}"
    assert missing.command == f"kedro run --pipelines bigdl_cnn --env exec_2x2 --params {params}"
