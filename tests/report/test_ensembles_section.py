import json

from tests.factories.records import make_record
from tests.factories.report import make_document, rows_of, sections_of, text_of

WON = {"member": "lite1", "accuracy": 0.9, "difference": 0.012, "p_holm": 0.2}
LEFT = {
    "n": 500, "accuracy": 0.912, "members": [WON, WON | {"member": "lite0", "accuracy": 0.8}],
    "chosen_on": {"n": 2257, "accuracy": 0.904, "images": "training images, out of fold", "members": [WON]},
}  # fmt: skip
PARAMS = {
    "members": {"lite0": "a", "lite1": "b"},
    "weights": {"lite0": 0.25, "lite1": 0.75},
    "chosen_on": "out_of_fold",
}


def vote(**changes):
    return make_record(model="weighted_vote", family="ensemble", features=None, params=PARAMS, **changes)


def leave(reporting, record, content):
    file = reporting / "s/d/f/exec_2x1/weighted_vote/against_members.json" / record["run_id"] / "against_members.json"
    file.parent.mkdir(parents=True)
    file.write_text(content)


def test_an_ensemble_stands_beside_its_best_member(tmp_path):
    record = vote()
    leave(tmp_path, record, json.dumps(LEFT))
    section = sections_of({"vote": record, "other": make_record()}, reporting=tmp_path)["ensembles"]
    judged = rows_of(section.blocks)[0]
    assert (judged["of images"], judged["accuracy"]) == ("500 that models are judged on", "91.2%")
    assert (judged["best member"], judged["difference [points]"], judged["p, Holm"]) == ("lite1", "+1.20", "0.2000")
    assert rows_of(section.blocks)[1]["of images"] == "2,257 training images, out of fold"
    assert "lite0 0.25, lite1 0.75" in text_of(section.blocks)
    (part,) = [one for one in make_document({"vote": record}, tmp_path).blocks if one.key == "competition"]
    assert "lite0 0.25, lite1 0.75" in text_of(part.blocks)


def test_without_what_was_compared_the_weights_are_told(tmp_path):
    record = vote()
    leave(tmp_path, record, '{"n": 5}')
    section = sections_of({"vote": record}, reporting=tmp_path)["ensembles"]
    assert rows_of(section.blocks)[0] == {
        "ensemble": "weighted_vote", "members and weights": "lite0 0.25, lite1 0.75", "chosen on": "out_of_fold",
    }  # fmt: skip


def test_images_without_labels_are_told_where_there_are_some():
    assert "ensembles" not in sections_of({"one": make_record()})
    section = sections_of({"one": make_record(data={"predict_size": 885})})["ensembles"]
    assert "885 images without a label: what each model says of them is in its unlabelled.csv" in text_of(
        section.blocks
    )
