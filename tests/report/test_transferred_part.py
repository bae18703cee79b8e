import json
import shlex

import pytest
from tests.factories.deployment import make_deployment
from tests.factories.records import make_cnn_record, make_record
from tests.factories.report import content_of, make_document, text_of
from tests.factories.transfer_records import LITE1, make_transfer_record

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.params import parse_params
from cifar_pipelines.preflight import check_run
from cifar_pipelines.report.chapters.laboratory.questions import answer_questions
from cifar_pipelines.report.chapters.laboratory.transferred import TRANSFERRED
from cifar_pipelines.report.document.blocks import Paragraph, Section, plain, walk

LITE0 = "timm:tf_efficientnet_lite0"


def parts(records, folder, plots=False):
    """The parts of the report, by key."""
    return {section.key: section for section in make_document(records, folder, plots=plots).blocks}


def missing_in(section):
    found = [block for block in walk(section.blocks) if isinstance(block, Paragraph) and block.missing]
    return [(plain(block.spans), block.command) for block in found]


def test_transferred_networks_have_a_part_and_answers_point_to_it(tmp_path):
    made = parts({"a": make_transfer_record("lite1_tuned_local", 800, "all")}, tmp_path, plots=True)
    part = made["transferred"]
    assert list(made).index("transferred") == 15 and part.title == TRANSFERRED
    assert [block.title for block in part.blocks if isinstance(block, Section)] == ["Phases of transferred networks"]
    assert "further" not in made
    pointer = f"lite1_tuned_local ({LITE1}). They are told under {TRANSFERRED}."
    for name in ("A6", "A11"):
        assert pointer in text_of(made[name].blocks), name
    a11 = text_of(made["A11"].blocks)
    assert "No CNN of the project's own was trained in this study. To make it:" in a11
    assert "<learning_curves.png" in a11 and "Too little or too much learned" in a11  # they learned too
    assert "No classifier of Spark ML was trained" in text_of(made["A6"].blocks)


def test_without_transferred_networks_nothing_points_to_them(tmp_path):
    made = parts({"a": make_record(), "b": make_cnn_record()}, tmp_path)
    assert "transferred" not in made
    assert all(TRANSFERRED not in text_of(section.blocks) for section in made.values())


def test_own_cnns_stay_what_a11_is_about(tmp_path):
    made = parts({"a": make_cnn_record(), "b": make_transfer_record("lite1_local", 800, "all")}, tmp_path)
    assert "airbench learns in few steps." in text_of(made["A11"].blocks)
    assert all("There is no figure here" in words for words, _ in missing_in(made["A11"]))  # of runs that left none
    assert f"lite1_local ({LITE1})" in text_of(made["A11"].blocks)


@pytest.mark.parametrize(
    ("model", "network", "trains", "weights", "words", "selected"),
    [
        ("lite1_tuned_local", LITE1, "last:5", "a", "fine-tuned: what it gives beside the same network frozen", "lite1_probe"),
        ("lite1_probe_local", LITE1, "head", "a", "frozen: what it gives beside the same network fine-tuned", "lite1_tuned"),
        # One of the same name would replace it.
        ("lite0_local", LITE0, "all", None, "from random weights: what it gives beside the same network fine-tuned", "lite0_plain"),
    ],
)  # fmt: skip
def test_a_backbone_in_one_role_names_the_command_for_another(
    model, network, trains, weights, words, selected, tmp_path
):
    record = make_transfer_record(model, 800, trains, weights=weights, network=network, setting=(2, 2))
    records = {"a": record, "b": make_record(setting=(1, 1))}
    told = missing_in(parts(records, tmp_path)["transferred"])
    ((said, command),) = [one for one in told if words in one[0]]
    assert said.startswith(f"{network} was measured {words} is not known.")
    *kedro, env, _, params = shlex.split(command)
    assert [*kedro, env] == ["kedro", "run", "--pipelines", "transfer", "--env", "exec_2x2"]  # that of its pair
    asked = parse_params(params, env)
    same_input = {} if selected.startswith("lite1") else {"models": {selected: {"input": {"size": 160}}}}
    assert asked["transfer"] == {"selected": selected, "engines": "local"} | same_input
    check_run(["transfer"], load_configuration(env, asked))


def test_every_role_that_a_backbone_has_a_block_for_is_named(tmp_path):
    roles = {"tuned": "all", "probe": "head"}
    records = {name: make_transfer_record(name, 800, trains, network=LITE0) for name, trains in roles.items()}
    ((said, command),) = missing_in(parts(records, tmp_path)["transferred"])
    known = "fine-tuned and frozen: what it gives beside the same network from random weights is not known."
    assert said.startswith(f"{LITE0} was measured {known}")
    assert "transfer.selected=lite0_random" in command


def test_of_two_roles_or_of_an_unknown_backbone_nothing_is_asked(tmp_path):
    both = {"a": make_transfer_record("a", 800, "all"), "b": make_transfer_record("b", 700, "head")}
    part = parts(both | {"c": make_transfer_record("c", 700, "head", network="timm:unheard_of")}, tmp_path)[
        "transferred"
    ]
    assert missing_in(part) == [] and "What freezing and transfer gave" in text_of(part.blocks)


def test_deployment_is_a_part(tmp_path):
    file = tmp_path / "deployments" / "lenet.json" / "2026-11-20T10.00.00.000Z" / "lenet.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(make_deployment().to_json()))
    document = answer_questions(content_of({"a": make_record()}, tmp_path, plots=False))
    (part,) = (section for section in document.blocks if section.key == "deployed")
    assert part.title == "Deployment" and text_of(part.blocks).startswith("Smaller and faster variants")
