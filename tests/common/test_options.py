import math
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import Range, build, checked_options, number, whole


def target(positional, *, count: int = 3, share: float = 0.5, name: str = "x", flag: bool = True):
    """Takes options."""


def test_options_are_checked_by_name_and_by_the_type_of_the_default():
    options = {"count": 5, "share": 1, "name": "y", "flag": False}
    assert checked_options(target, options, "it") == options
    assert type(checked_options(target, options, "it")["share"]) is float
    assert checked_options(target, None, "it") == checked_options(target, {}, "it") == {}


@pytest.mark.parametrize(
    "options",
    [{"count": 5.0}, {"count": True}, {"share": "0.5"}, {"share": True}, {"name": 5}, {"flag": 1}, {"flag": None}],
)
def test_an_option_of_another_type_than_its_default_is_refused(options):
    with pytest.raises(UserError, match=r"The option '\w+' of it is .*, which is not of the type \w+\. Give a"):
        checked_options(target, options, "it")


def within(*, trees: Annotated[int, Range(1)] = 3, share: Annotated[float, Range(0, 1, above=True)] = 0.5):
    """Takes options that have a range."""


def test_an_option_lies_within_the_range_of_its_annotation():
    legal = {"trees": 1, "share": 1}
    assert (
        checked_options(within, legal, "it") == legal and type(checked_options(within, legal, "it")["share"]) is float
    )
    for wrong in ({"trees": 0}, {"share": 0}, {"share": 1.5}, {"share": math.nan}):
        (name,) = wrong
        with pytest.raises(UserError, match=rf"The option '{name}' of it is .*, but must be a number "):
            checked_options(within, wrong, "it")
    with pytest.raises(UserError, match="which is not of the type int"):
        checked_options(within, {"trees": 2.0}, "it")


def test_an_unknown_option_is_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"'counts'.*'count'"):
        checked_options(target, {"counts": 5}, "it")
    with pytest.raises(UserError, match="'positional'"):
        checked_options(target, {"positional": 5}, "it")


def test_options_are_names_and_values():
    with pytest.raises(UserError, match=r"The options of it are \['count'\], but must be names and values: count, "):
        checked_options(target, ["count"], "it")


@dataclass(frozen=True)
class Inner:
    port: int = 0
    wait_s: float = 60.0


@dataclass(frozen=True)
class Outer:
    name: str | None
    inner: Inner = field(default_factory=Inner)
    rest: dict[str, Any] = field(default_factory=dict)
    anything: Any = None

    def __post_init__(self):
        whole("port", self.inner.port, 0)


def test_a_block_becomes_a_dataclass_with_the_blocks_in_it():
    built = build(Outer, {"name": None, "inner": {"port": 5, "wait_s": 3}, "rest": {"a": 1}, "anything": [1]}, "it")
    assert built == Outer(None, Inner(5, 3.0), {"a": 1}, [1])
    assert build(Outer, {}, "it", name="given") == Outer("given")


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({}, r"^It lacks name\. Add"),
        (None, r"^It lacks name\. Add"),
        ("text", r"'text', but must be names and values: name, inner, rest, anything\."),
        ({"name": "x", "inners": {}}, r"Unknown option 'inners'\. Did you mean 'inner'"),
        ({"name": 5}, r"'name' of it is 5, which is not of the type str or NoneType\. Give text or null"),
        ({"name": "x", "inner": {"ports": 1}}, r"'ports'\. Did you mean 'port'.* block inner of it\."),
        ({"name": "x", "inner": {"port": "1"}}, r"'port' of the block inner of it is '1', .*type int"),
        ({"name": "x", "inner": {"port": -1}}, r"port is -1, but must be a whole number of at least 0"),
        ({"name": "x", "rest": 3}, r"'rest' of it is 3, which is not of the type dict"),
    ],
)
def test_a_block_that_does_not_fit_is_refused(block, message):
    with pytest.raises(UserError, match=message):
        build(Outer, block, "it")


def test_what_is_given_cannot_stand_in_the_block():
    with pytest.raises(UserError, match="Unknown option 'name'"):
        build(Outer, {"name": "x"}, "it", name="given")


@pytest.mark.parametrize("value", [0, -1, 1.0, "1", True, None])
def test_whole_numbers_are_whole_and_not_too_small(value):
    with pytest.raises(UserError, match=r"^size is .*, but must be a whole number of at least 1\.$"):
        whole("size", value, 1)
    whole("size", 1, 1)


@pytest.mark.parametrize(
    ("bounds", "ends", "legal", "illegal", "rule"),
    [
        ((0, 1), {}, (0, 1), (-0.1, 1.1, math.nan), "from 0 to 1"),
        ((0, 1), {"below": True}, (0, 0.9), (1,), "from 0 to below 1"),
        ((0, 1), {"above": True}, (0.1, 1), (0,), "above 0 to 1"),
        ((1,), {}, (1, 1e9), (0.9, math.inf), "of at least 1"),
        ((0,), {"above": True}, (1e-9,), (0, math.inf), "above 0"),
    ],
)
def test_a_number_lies_within_its_bounds(bounds, ends, legal, illegal, rule):
    for value in legal:
        number("share", value, *bounds, **ends)
    for value in illegal:
        with pytest.raises(UserError, match=rf"^share is {value!r}, but must be a number {rule}\.$"):
            number("share", value, *bounds, **ends)
