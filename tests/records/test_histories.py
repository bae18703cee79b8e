import io
import math

import pytest
from matplotlib.colors import same_color
from tests.factories.records import make_cnn_record, make_grown_study, make_history, make_record, make_study

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.plots import of_comparison
from cifar_pipelines.plots.of_training import plot_all_histories
from cifar_pipelines.records.columns import records_to_table
from cifar_pipelines.records.histories import histories_table
from cifar_pipelines.records.run_record import HISTORY, RunRecord
from cifar_pipelines.records.speedup import add_scaling
from cifar_pipelines.records.summary import main_study, marks, of_section, summarise
from cifar_pipelines.report.sections.verdict import verdict


def _both(*records):
    """The summary of records and the table of their learning curves."""
    table, left_out = records_to_table({str(number): record for number, record in enumerate(records)})
    assert not left_out
    summary = add_scaling(summarise(table)[0])
    return summary, histories_table(table, summary)


def said(rows):
    """The sentences of the verdict by topic; of several models the last one's."""
    return {topic.key: topic.text for topic in verdict(rows)}


def _row(record):
    return records_to_table({"one": record})[0].iloc[0]


def _legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_table_has_what_the_record_says_of_training():
    record = make_cnn_record(setting=(4, 2), images_per_s=800.0, overhead_s=21.5)
    record["history"][0]["images_per_s"] = 100.0  # the first epoch is slow; the median does not mind
    row = _row(record)
    assert (row["network"], row["images_per_s"], row["engine_overhead_s"]) == ("airbench", 800, 21.5)
    assert (row["workers"], row["threads"], row["precision"]) == (2, 2, "bf16")
    assert (row["predict_1_ms"], row["predict_batched_ms"], row["predict_batch"]) == (3.21, 0.456, 250)
    assert row["executor_python_memory_mb"] == 1200


def test_other_models_have_none_of_it():
    row = _row(make_record())
    assert row["network"] is None and row["history"] == [] and not row["resumed"]
    assert all(math.isnan(row[name]) for name in ("images_per_s", "workers", "predict_1_ms", "predict_batch"))


@pytest.mark.parametrize("history", ["fast", [3], [{"epoch": 1}], [make_history(1)[0] | {"seconds": None}]])
def test_incomplete_histories_are_refused(history):
    with pytest.raises(UserError, match="no list of epochs with epoch, loss"):
        RunRecord.from_json(make_cnn_record(history=history))


def test_cpu_time_of_a_resumed_training_is_set_against_its_own_time_alone():
    whole, resumed = make_cnn_record(), make_cnn_record(resumed_after_epoch=3)
    earlier = sum(row["seconds"] + row["validation_seconds"] for row in resumed["history"][:3])
    assert _row(whole)["clocked_s"] == sum(whole["timings"]["fit_s"])
    assert _row(resumed)["clocked_s"] == pytest.approx(sum(resumed["timings"]["fit_s"]) - earlier)
    assert _row(resumed)["fit_s"] == _row(whole)["fit_s"]


def test_cpu_time_of_lost_workers_is_unknown():
    summary, _ = _both(make_cnn_record(restarts=1), make_cnn_record(setting=(2, 2)))
    assert summary["utilisation"].isna().tolist() == [True, False]


def test_times_put_together_are_marked_and_a_caution():
    resumed = make_cnn_record(resumed_after_epoch=2, created="2026-11-20T09:00:00Z")
    whole = make_cnn_record(created="2026-11-20T10:00:00Z")
    lost = make_cnn_record("torch_distributor", setting=(2, 2), restarts=2)
    summary, _ = _both(resumed, whole, lost)
    assert [marks(row) for _, row in summary.iterrows()] == [["resumed"], ["restarted", "one timing"]]
    cautions = said(summary)["cautions"]
    assert "airbench_bigdl under exec_2x1 and airbench_torch_distributor under exec_2x2" in cautions
    assert "put together from parts" in cautions
    assert "put together" not in said(_both(whole)[0])["cautions"]


def test_totals_are_of_one_family_of_models():
    summary, _ = _both(*make_grown_study().values())
    text = said(summary[summary["train_size"] == 10000])["fit_time_over_all"]
    assert "Over all 2 CNNs, exec_2x2 has the shortest total" in text
    assert "Over all 3 models of Spark ML, exec_2x2 has the shortest total of the median times: 25.0 s" in text
    assert "networks that read images need none" in text
    # One network under one setting does not take the ranking away from the others.
    text = said(_both(*make_study().values(), make_cnn_record())[0])["fit_time_over_all"]
    assert "Over all 3 models of Spark ML, exec_2x2" in text and "no setting wins" not in text


def test_utilisation_is_said_for_both_kinds():
    text = said(_both(make_record(), make_cnn_record())[0])["resources"]
    assert "CPU time of Python workers is in it where they do the work" in text
    assert "JVM threads only" not in text


def test_histories_are_those_of_the_latest_runs_with_the_newest_parameters():
    old = make_cnn_record(epochs=9, created="2026-11-20T08:00:00Z")
    first = make_cnn_record(epochs=3, accuracy=0.5, created="2026-11-20T09:00:00Z")
    latest = make_cnn_record(epochs=3, accuracy=0.9, created="2026-11-20T10:00:00Z", restarts=1)
    summary, histories = _both(latest, first, old, make_record())
    assert list(histories.columns[-len(HISTORY) :]) == HISTORY
    assert histories["epoch"].tolist() == [1, 2, 3]
    assert histories["validation_accuracy"].iloc[-1] == pytest.approx(0.9 * 0.875)
    assert set(histories["label"]) == {"airbench_bigdl"} and histories["put_together"].all()
    assert set(summary["label"]) == {"airbench_bigdl", "logistic_regression"}


def test_where_a_further_phase_begins_is_marked_on_its_curve():
    phased = make_cnn_record("torch_distributor", epochs=5, network="lite0")
    for row, phase in zip(phased["history"], (1, 1, 2, 2, 3), strict=True):
        row["phase"] = phase
    summary, histories = _both(phased, make_cnn_record(epochs=3))
    by_label = {label: rows["phase"].tolist() for label, rows in histories.groupby("label")}
    assert by_label["lite0_torch_distributor"] == [1, 1, 2, 2, 3] and histories["phase"].isna().sum() == 3
    figure = plot_all_histories(histories, summary)
    (marks,), (later,) = ([line for line in ax.lines if line.get_marker() == "|"] for ax in figure.axes)
    assert list(marks.get_xdata()) == [3, 5]
    assert list(later.get_xdata()) == pytest.approx([31.5, 52.5])  # 10.5 s an epoch
    curve = next(line for line in figure.axes[0].lines if len(line.get_xdata()) == 5)
    assert list(marks.get_ydata()) == [curve.get_ydata()[2], curve.get_ydata()[4]]
    assert marks.get_color() == curve.get_color() and _legend(figure)[-1] == "first epoch of a further phase"
    assert "first epoch of a further phase" not in _legend(plot_all_histories(*reversed(_both(make_cnn_record()))))


def test_without_networks_there_is_a_sentence_instead_of_curves():
    summary, histories = _both(make_record())
    assert histories.empty and "epoch" in histories
    assert "No network" in plot_all_histories(histories, summary).axes[0].texts[0].get_text()


def test_all_histories_are_drawn_in_the_colours_of_the_other_plots(recwarn):
    records = make_grown_study()
    records["exec_2x1/bigdl"]["resumed_after_epoch"] = 2
    summary, histories = _both(*records.values())
    summary = main_study(summary)
    figure = plot_all_histories(of_section(histories, summary), summary)
    figure.savefig(io.BytesIO(), dpi=40)
    # By epoch and by time; the seventh is the star.
    assert [len(ax.lines) for ax in figure.axes] == [6, 7]
    assert list(figure.axes[0].lines[0].get_xdata()) == [1, 2, 3, 4]
    assert list(figure.axes[1].lines[0].get_xdata()) == sorted(figure.axes[1].lines[0].get_xdata())
    assert len({(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines}) == 6
    networks = ["airbench_bigdl", "airbench_torch_distributor"]
    assert _legend(figure) == [*networks, "exec_1x1", "exec_2x1", "exec_2x2", "resumed or restarted"]
    other = of_comparison.plot_accuracy_time(summary)
    for name in networks:
        one, same = (
            drawn.legends[0].legend_handles[_legend(drawn).index(name)].get_facecolor() for drawn in (figure, other)
        )
        assert same_color(one, same)
    assert not recwarn.list


@pytest.mark.parametrize("plot", ["accuracy_time", "time_by_setting", "speedup", "resources"])
def test_times_put_together_have_a_mark_in_every_plot(plot, recwarn):
    draw = getattr(of_comparison, f"plot_{plot}")
    for changes, marked in (({"restarts": 1}, True), ({"resumed_after_epoch": 1}, True), ({}, False)):
        figure = draw(
            _both(make_cnn_record(**changes), make_cnn_record(setting=(1, 1)), make_record(setting=(4, 2)))[0]
        )
        figure.savefig(io.BytesIO(), dpi=40)
        assert ("resumed or restarted" in _legend(figure)) is marked
    assert not recwarn.list


def test_the_accuracy_of_mixed_images_is_not_there_and_stays_so():
    history = [make_history(1)[0] | {"accuracy": None}]
    record = RunRecord.from_json(make_cnn_record(history=history))
    assert record.history[0].accuracy is None
    assert RunRecord.from_json(record.to_json()).history == record.history
