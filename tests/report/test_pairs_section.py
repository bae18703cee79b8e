import numpy as np
import pytest
from tests.factories.records import make_judged_record, make_record
from tests.factories.report import text_of

from cifar_pipelines.judging.pairs import MOST_MODELS, compare_pairs
from cifar_pipelines.judging.statistics import holm, mcnemar_p
from cifar_pipelines.records.columns import records_to_table
from cifar_pipelines.records.ranking import fastest_of_each_model
from cifar_pipelines.records.speedup import add_scaling
from cifar_pipelines.records.summary import summarise
from cifar_pipelines.report.sections.pairs import PAIRS, pairs
from cifar_pipelines.report.sections.verdict import verdict

N = 1000


def _models(*records):
    return add_scaling(summarise(records_to_table({str(i): r for i, r in enumerate(records)})[0])[0])


def _right(n_right, only=0, n=N):
    """`n_right` right images, of which the last `only` are among those that others get wrong."""
    right = np.zeros(n, dtype=bool)
    right[: n_right - only] = True
    right[n - only :] = only > 0
    return right


def part_of(models):
    """The text of the section about pairs."""
    return text_of(pairs(models).blocks)


def said(rows):
    """The sentences of the verdict by topic; of several models the last one's."""
    return {topic.key: topic.text for topic in verdict(rows)}


BEST, SECOND, THIRD = (
    make_judged_record("best", _right(700)),
    make_judged_record("second", _right(680)),  # wrong on 20 images of the first, right on no other
    make_judged_record("third", _right(695, only=60)),  # nearly as good, but on other images
)


def test_pairs_are_tested_in_the_order_of_the_ranking():
    tested, untested = compare_pairs(fastest_of_each_model(_models(SECOND, THIRD, BEST)))
    assert not untested
    assert [(pair.first, pair.second) for pair in tested] == [
        ("best", "third"),
        ("best", "second"),
        ("third", "second"),
    ]
    assert [(pair.counts.only_first, pair.counts.only_second) for pair in tested] == [(65, 60), (20, 0), (60, 45)]
    assert [pair.p for pair in tested] == [mcnemar_p(pair.counts) for pair in tested]
    assert [pair.p_holm for pair in tested] == holm([pair.p for pair in tested]).tolist()
    assert [pair.differs for pair in tested] == [False, True, False]


def test_the_table_says_all_of_a_pair():
    part = part_of(_models(BEST, SECOND, THIRD))
    assert part.startswith(" | ".join([*PAIRS, "images needed"]))
    assert "best | second | +2.00 (+1.20 to +2.90) | 20 | 0 | < 0.0001 | < 0.0001 | differ | –" in part
    (tied,) = (line for line in part.splitlines() if line.startswith("best | third |"))
    assert "| +0.50 (-1.70 to +2.70) | 65 | 60 | 0.7207 | 0.7207 | not shown | 39,2" in tied
    assert "corrected for the 3 tests of this table" in part and "No interval" not in part
    assert "corrected for the 1 test of this table" in part_of(_models(BEST, SECOND))


def test_a_paired_test_finds_what_overlapping_intervals_hide():
    models = _models(BEST, SECOND)
    assert models["accuracy_low"].max() < models["accuracy_high"].min()  # they overlap
    text = said(models)["accuracy"]
    assert (
        "best has the highest accuracy: 70.0% (67.1% to 72.8%), 95% Wilson interval, 1,000 test images. It differs "
        "from every other model on the same test images (exact McNemar tests with Holm's correction); the next is "
        "second, 68.0% (65.0% to 70.8%), p < 0.001." in text
    )
    assert "tie" not in text and "Intervals decide" not in text


def test_ties_are_called_ties_and_the_rest_is_named():
    text = said(_models(BEST, SECOND, THIRD))["accuracy"]
    assert "A tie: not distinguishable with 1,000 test images from third, 69.5% (66.6% to 72.3%), p = 0.721" in text
    assert "It differs from second by the same tests." in text


def test_equal_models_are_a_tie_without_an_interval():
    same = make_judged_record("copy", _right(700))
    part = part_of(_models(BEST, same))
    assert "best | copy | 0.00 (no interval) | 0 | 0 | 1.0000 | 1.0000 | not shown | –" in part
    assert "No interval: every resample" in part
    assert "A tie" in said(_models(BEST, same))["accuracy"]


def test_one_test_image_shows_nothing():
    models = _models(make_judged_record("right", [True]), make_judged_record("wrong", [False]))
    part = part_of(models)
    assert "right | wrong | +100.00 (no interval) | 1 | 0 | 1.0000 | 1.0000 | not shown | 6" in part
    assert "A tie: not distinguishable with 1 test image from wrong" in said(models)["accuracy"]


def test_other_test_images_are_never_paired():
    elsewhere = make_judged_record("elsewhere", _right(400), [f"other-{i:05d}" for i in range(N)])
    models = _models(BEST, SECOND, elsewhere)
    part = part_of(models)
    assert "Not tested:\nbest and elsewhere; second and elsewhere: they were judged on different data." in part
    assert "elsewhere |" not in part and "the 1 test of this table" in part
    text = said(models)["accuracy"]
    assert "It differs from second on the same test images" in text
    assert (
        "Intervals decide about 1 model, because a paired test with it is not possible: they were judged on "
        "different data. No interval of theirs overlaps it; the next is elsewhere, 40.0%" in text
    )


def test_records_of_before_are_read_and_named():
    models = _models(BEST, SECOND, make_record("old", accuracy=0.69))
    part = part_of(models)
    assert (
        "best and old; old and second: the run record of old holds no outcomes by image, as older ones do; train "
        "it again." in part
    )
    text = said(models)["accuracy"]
    assert "the run record of old holds no outcomes" in text
    assert "A tie: not distinguishable with 1,000 test images from old, 69.0%" in text and "conservative" in text
    only_old = part_of(_models(make_record("old"), make_record("older")))
    assert "|" not in only_old and "Not tested" in only_old


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ({"right": "zz"}, "cannot be used: The outcomes 'zz' are not hexadecimal digits. Run again."),
        ({"right": "ff"}, "8 bits, which does not fit 1000 test images"),
        ({"right": 125 * "ff"}, "holds outcomes that contradict its accuracy; train it again"),
        ({"right": None}, "holds no outcomes by image"),
        ({"images": None}, "holds no outcomes by image"),
    ],
)
def test_damaged_outcomes_are_named(outcomes, words):
    damaged = make_judged_record("damaged", _right(690))
    damaged["metrics"]["outcomes"] |= outcomes
    part = part_of(_models(BEST, damaged))
    assert words in part and "|" not in part and ".." not in part


def test_missing_cells_of_a_table_from_csv_are_missing():
    models = _models(BEST, make_record("old"))
    models[["outcomes", "outcome_images"]] = models[["outcomes", "outcome_images"]].astype(object)
    models = models.where(models.notna(), np.nan)
    assert "the run record of old holds no outcomes" in part_of(models)


def test_at_most_eight_models_are_paired():
    records = [make_judged_record(f"m{k:02d}", _right(700 - k)) for k in range(MOST_MODELS + 2)]
    tested, untested = compare_pairs(fastest_of_each_model(_models(*records)))
    assert len(tested) == MOST_MODELS * (MOST_MODELS - 1) // 2 and not untested
    part = part_of(_models(*records))
    assert "Only the 8 most accurate of 10 models are compared." in part and "m08" not in part
    text = said(_models(*records))["accuracy"]
    assert "Intervals decide about 2 models" in text and "only the 8 most accurate models are tested" in text


def test_one_model_has_no_pairs():
    assert pairs(_models(BEST)) is None
    assert compare_pairs(fastest_of_each_model(_models(BEST))) == ([], [])


def test_the_latest_run_at_the_fastest_setting_counts():
    slow = make_judged_record("best", _right(900), setting=(2, 2), fit_s=(9.0, 9.1), created="2026-11-21T10:00:00Z")
    again = make_judged_record("best", _right(710), created="2026-11-20T12:00:00Z")
    models = fastest_of_each_model(_models(BEST, slow, again))
    assert models[["setting", "accuracy"]].to_numpy().tolist() == [["exec_2x1", 0.71]]


def test_times_without_any_spread_are_doubted_and_single_ones_said():
    still = _models(make_record(fit_s=[7.0, 7.0]), make_record(fit_s=[9.0], setting=(2, 2)))
    cautions = said(still)["cautions"]
    assert "logistic_regression under exec_2x1: all repeats took exactly as long" in cautions
    assert "1 of 2 times were measured once only." in cautions
    assert still["time_deviation_s"].isna().tolist() == [False, True]
    assert "exactly as long" not in said(_models(make_record()))["cautions"]


@pytest.mark.parametrize(
    ("data", "judged"),
    [({"test_size": 0, "validation_size": N}, "validation image"), ({"content": "text"}, "test text")],
)
def test_what_was_judged_is_called_what_it_is(data, judged):
    models = _models(*(make_judged_record(name, _right(right), data=data) for name, right in (("a", 700), ("b", 695))))
    section, text = pairs(models), said(models)["accuracy"]
    assert section.title == f"Pairs of models on the same {judged}s"
    assert f"below that of the {judged}s says" in part_of(models) and f"{judged.split()[1]}s needed" in part_of(models)
    assert f"1,000 {judged}s." in text and "test image" not in text + part_of(models)
