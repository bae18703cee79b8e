"""Every command that README, docs and messages name works as printed: names, options, pipelines, environments, parameters."""

import ast
import re
import shlex
from functools import cache

import click
import pytest
from benchmarks.__main__ import parse_arguments
from click.testing import CliRunner

from cifar_pipelines.cli import cli
from cifar_pipelines.common import configuration
from cifar_pipelines.common.configuration import PROJECT_PATH, load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.params import parse_params
from cifar_pipelines.experiment.plan import Experiment
from cifar_pipelines.families import require_pipelines
from cifar_pipelines.spark.environment import check_environment

DOCUMENTS = [
    *(PROJECT_PATH / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((PROJECT_PATH / "docs").rglob("*.md")),
    *sorted((PROJECT_PATH / "src").rglob("*.md")),
]
CONFIGURATION = sorted((PROJECT_PATH / "conf").rglob("*.yml"))
CODE = sorted((PROJECT_PATH / "src").rglob("*.py"))
KEDRO_S_OWN = {"viz", "package", "registry", "jupyter", "ipython", "catalog"}
BEGINS = re.compile(r"(?:kedro|make|python -m benchmarks)(?=[ \n]|$)")
IN_COMMENT = r"(?:^|: )((?:kedro|make|python -m benchmarks) .+)$"
PLACEHOLDER = re.compile(r"<[\w .|-]+>")
PAGES_ADD = {"exec_6x3", "exec_2x1_3g", "few_images"}  # environments that commands of the docs write first


def commands_of(text: str) -> list[str]:
    """The commands of a text: lines of blocks, and code within lines."""
    blocks = re.findall(r"^```\n(.*?)^```", text, re.S | re.M) + re.findall(r"^((?: {4}\S.*\n)+)", text, re.M)
    lines = [line.strip() for block in blocks for line in re.sub(r"\\\n\s*", "", block).splitlines()]
    inline = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))
    found = [" ".join(one.split()) for one in (*lines, *inline)]
    return [command for command in found if BEGINS.match(command) and "\u2500" not in command]


def messages_of(code: str) -> list[str]:
    """The texts of a module that people see: every string, of formatted ones what is fixed, with a placeholder for the rest."""
    texts = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.JoinedStr):
            texts.append("".join(part.value if isinstance(part, ast.Constant) else "<x>" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
    return texts


def all_commands() -> dict[str, str]:
    """Every command, with the file that names it."""
    found: dict[str, str] = {}
    for file in DOCUMENTS:
        found |= dict.fromkeys(commands_of(file.read_text(encoding="utf-8")), file.name)
    for file in CONFIGURATION:
        comments = re.findall(r"^ *# +(.*)$", file.read_text(encoding="utf-8"), re.M)
        quoted = [command for comment in comments for command in commands_of(comment)]
        # A comment ends with its command, which may be in the middle of a sentence.
        plain = [command for comment in comments if "`" not in comment for command in re.findall(IN_COMMENT, comment)]
        found |= dict.fromkeys([*quoted, *plain], file.name)
    for file in CODE:
        for text in messages_of(file.read_text(encoding="utf-8")):
            found |= dict.fromkeys(commands_of(text), file.name)
    return {command.partition(" # ")[0].strip(): file for command, file in found.items()}


ALL = all_commands()


@cache
def loader_of(env: str | None):
    """The configuration of an environment."""
    return load_configuration(env)


def parsed(words: list[str]) -> click.Context:
    """What click makes of a command of ours; it is not run."""
    command, names = cli, list(words)
    context = click.Context(cli, info_name="kedro")
    while isinstance(command, click.Group) and names:
        name = names.pop(0)
        assert name in command.commands, f"no command {name}"
        command = command.commands[name]
    if not names and not command.params:
        return context
    try:
        return command.make_context(command.name, names, parent=context)
    except click.MissingParameter:
        assert not names or "<" in " ".join(names), "something is missing"
        return context
    except click.exceptions.NoArgsIsHelpError:
        return context


def check(words: list[str]) -> None:
    """Checks the values of a command of ours."""
    context = parsed(words)
    given = context.params
    env = given.get("env")
    study = given.get("params_of")
    for name in (env, study):
        if name and "<" not in name and name not in PAGES_ADD:
            check_environment(name)
    pipelines = given.get("pipelines") or given.get("pipeline") or ""
    names = pipelines.split(",") if isinstance(pipelines, str) else pipelines
    if names := [name.strip() for name in names if name and "<" not in name]:
        require_pipelines(names)
        if context.command.name == "experiment":
            Experiment(("exec_1x1",), tuple(names), 1, "")
    for setting in (given.get("settings") or "").split(",") if isinstance(given.get("settings"), str) else ():
        if setting and setting not in PAGES_ADD:
            check_environment(setting)
    text = given.get("params") or ""
    if text and "..." not in text:
        known = study or env
        known = None if known in PAGES_ADD or (known and "<" in known) else known
        nested = parse_params(text, known)
        configuration.check_runtime_params(nested, loader_of(known))


def _filled_in(words: list[str]) -> list[str]:
    """The last option of a command that is only mentioned, with a value where it takes one."""
    command = cli
    for name in words:
        command = command.commands.get(name, command) if isinstance(command, click.Group) else command
    option = next((one for one in command.params if words[-1] in one.opts), None)
    if words[-1] == "--params":
        return []
    return [words[-1]] if option is None or option.is_flag else [words[-1], "<x>"]


def _with_values(command: str) -> str:
    """A command with something in place of what has to be filled in."""
    return PLACEHOLDER.sub(lambda found: "<x>", command)


@pytest.mark.parametrize("command", sorted(command for command in ALL if command.startswith("kedro ")))
def test_a_command_of_kedro_works_as_printed(command):
    words = shlex.split(_with_values(command.replace("--params ...", "").replace(" ...", "")), comments=True)[1:]
    words = [word.strip("[]") for word in words if word.strip("[]|")]
    if words and words[-1].startswith("--") and "=" not in words[-1]:
        words = [*words[:-1], *_filled_in(words)]
    if not words or words[0] in KEDRO_S_OWN or words[0].startswith("<"):
        return
    try:
        check(words)
    except (click.ClickException, UserError, AssertionError) as error:
        pytest.fail(f"{ALL[command]}: {command}\n{error}")


@pytest.mark.parametrize("command", sorted(command for command in ALL if command.startswith("make ")))
def test_a_target_of_make_is_there(command):
    targets = re.findall(r"^([a-z-]+):", (PROJECT_PATH / "Makefile").read_text(), re.M)
    assert command.split()[1].rstrip(".,;") in targets, ALL[command]


@pytest.mark.parametrize("command", sorted(command for command in ALL if command.startswith("python -m benchmarks")))
def test_a_benchmark_has_the_options_that_are_printed(command):
    words = shlex.split(_with_values(command), comments=True)
    if words[2] == "benchmarks" and not any("<" in word or word == "N" for word in words):
        parse_arguments(words[3:])


def test_there_are_commands_to_check():
    assert len(ALL) > 120 and len({file for file in ALL.values()}) > 25


def test_the_first_command_of_the_readme_comes_within_25_lines():
    lines = (PROJECT_PATH / "README.md").read_text(encoding="utf-8").splitlines()
    assert any(line.startswith("make run") for line in lines[:25])


@pytest.mark.parametrize("words", ["settings", "settings --suited", "plan --cores 4 --memory 4g", "parallelism"])
def test_cheap_commands_run(words):
    result = CliRunner().invoke(cli, words.split())
    assert result.exit_code == 0 and result.output, result.output


def test_documents_that_are_linked_are_there():
    for file in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", file.read_text(encoding="utf-8")):
            if "://" not in target and file.name != "CHANGELOG.md":
                assert (file.parent / target).exists(), f"{file.name}: {target}"
