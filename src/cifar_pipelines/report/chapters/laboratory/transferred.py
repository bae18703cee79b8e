"""The part of the report on transferred networks, and how answers point to it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from cifar_pipelines.common.configuration import run_parameters
from cifar_pipelines.engines import engine_names, model_name
from cifar_pipelines.records.summary import trained
from cifar_pipelines.records.transfer_roles import ROLES, role_of_block
from cifar_pipelines.report.commands import run
from cifar_pipelines.report.content import Content
from cifar_pipelines.report.document.blocks import Blocks, Paragraph, emphasis, missing, say
from cifar_pipelines.report.sections.transfer import networks_by_role
from cifar_pipelines.report.studies import Study

TRANSFERRED = "Transferred networks"  # the title of the part


def mention_transferred(study: Study) -> Blocks:
    """Names the transferred networks of a study, and says where they are told; nothing where there are none."""
    found = study.transferred
    if found.empty:
        return ()
    named = ", ".join(f"{record['label']} ({record['network']})" for _, record in found.iterrows())
    return (
        say(
            f"Networks of libraries were trained phase by phase: {named}. They are told under ",
            emphasis(TRANSFERRED),
            ".",
        ),
    )


def transferred_networks(content: Content) -> Blocks:
    """The phases of transferred networks, what freezing and transfer gave, and what to measure beside a network that is alone."""
    return (*content.section("phases"), *content.section("transfer"), *_unpaired(content.study))


def _unpaired(study: Study) -> Blocks:
    """Of every backbone: the roles in which it was not measured, each with its command, where the configuration has it in that role."""
    found = networks_by_role(trained(study.rows), study.used)
    return tuple(
        paragraph
        for _, own in found.groupby("backbone")
        for role in ROLES
        if role not in set(own["role"]) and (paragraph := _missing_role(study, own, role))
    )


def _missing_role(study: Study, own: pd.DataFrame, role: str) -> Paragraph | None:
    """What is not known of a backbone because it was not measured in a role, with the command; None where it has no block."""
    measured = own.iloc[-1]
    network, family = measured["backbone"], measured["family"]
    known = run_parameters().get(family, {}).get("models", {})
    # A model of the same name would replace what was measured.
    pairs = [(name, engine) for name in known for engine in engine_names()]
    block, engine = next((pair for pair in pairs if model_name(*pair) == measured["model"]), (None, None))
    others = {
        name: model
        for name, model in known.items()
        if name != block and model["backbone"] == network and role_of_block(model) == role
    }
    if not others:
        return None
    seen = measured["raw"].params["input"]
    name = min(others, key=lambda name: len(_otherwise(others[name], seen)))  # the first of several
    more = {"selected": name} | ({"engines": engine} if engine else {})
    more |= {f"models.{name}.input.{key}": value for key, value in _otherwise(others[name], seen).items()}
    command = run(study, family, {f"{family}.{key}": value for key, value in more.items()}, measured["setting"])
    measured_as = " and ".join(one for one in ROLES if one in set(own["role"]))
    return missing(
        f"{network} was measured {measured_as}: what it gives beside the same network {role} is not known.", command
    )


def _otherwise(block: Mapping[str, Any], seen: Mapping[str, Any]) -> dict[str, Any]:
    """What of its input a configured model has otherwise than it was seen, as it was seen."""
    return {key: seen[key] for key, value in (block.get("input") or {}).items() if key in seen and seen[key] != value}
