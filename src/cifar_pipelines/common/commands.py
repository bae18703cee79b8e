"""Commands of the terminal that lose nothing of what is typed."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import click

from cifar_pipelines.common import configuration
from cifar_pipelines.common.errors import UserError


class Command(click.Command):
    r"""A command that refuses an option which is given twice; click would drop the first in silence.

    In its help, lines after one with \b stay as they are written.
    """

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        # click wants the sign itself, which no raw docstring can hold.
        self.help = self.help and self.help.replace("\\b\n", "\b\n")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses the arguments, once before to see every option that is there."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for option, times in Counter(order).items():
            if times > 1 and isinstance(option, click.Option) and not (option.multiple or option.is_flag):
                raise UserError(f"{option.opts[0]} is given {times} times. Give it once; names are joined by commas.")
        try:
            return super().parse_args(ctx, args)
        except (click.UsageError, UserError):
            raise
        except click.ClickException as error:  # Kedro's, which would show everything but its message
            raise UserError(error.message) from error


class Group(click.Group):
    """A group of such commands."""

    command_class = Command


class ConfSourceOption(click.Option):
    """`--conf-source`, which all that the command reads, and the runs that it starts, follow until it ends."""

    def __init__(self, *names: Any, **attributes: Any) -> None:
        said = "The configuration folder; default: the project's own."
        super().__init__(*names, **{"help": said, "expose_value": False, "callback": _follow} | attributes)


def _follow(ctx: click.Context, option: click.Parameter, folder: str | None) -> None:
    if folder is not None:
        configuration.follow_folder(folder)
        ctx.call_on_close(lambda: configuration.follow(None))


class ParamsOption(click.Option):
    """`--params`, which may be given more than once; a file of `--config` may hold names and values as well."""

    def __init__(self, *names: Any, **attributes: Any) -> None:
        super().__init__(*names, **attributes, multiple=True, callback=lambda ctx, option, text: text or "")

    def type_cast_value(self, ctx: click.Context, value: Any) -> str:
        """Joins what is given to one text."""
        from cifar_pipelines.common.params import params_text

        given = params_text(value) if isinstance(value, Mapping) else value
        return ",".join([given] if isinstance(given, str) else given or ())
