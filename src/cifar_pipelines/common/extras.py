"""Packages that only some commands need: `make install` leaves them out, `make install-extras` brings them."""

from importlib.util import find_spec

from cifar_pipelines.common.errors import UserError


def require_packages(what: str, *packages: str, otherwise: str = "") -> None:
    """Raises a `UserError` if packages are not installed; nothing is imported.

    Args:
        what: What needs them, such as "kedro viz"; it begins the message.
        packages: Names as in imports.
        otherwise: What can be done instead, such as ", or leave it out"; may be empty.
    """
    if missing := [package for package in packages if find_spec(package) is None]:
        are = "is" if len(missing) == 1 else "are"
        raise UserError(
            f"{what} needs {', '.join(missing)}, which {are} not installed. Run `make install-extras`{otherwise}."
        )
