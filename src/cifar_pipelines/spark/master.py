"""A standalone Master that is there already: whether it answers, and the driver's address for its Workers."""

import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark.failures import last_error, spark_failure

CONNECT_S = 4.0  # to wait for an answer
GIVEN_UP = "Spark gave up, since no Master answered"
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/,\[\]]+):(\d{1,5})")


def master_addresses(url: str) -> list[tuple[str, int]]:
    """Host and port of a Master, or of several that stand by for each other (`spark://a:7077,b:7077`).

    Raises:
        UserError: If the address is none.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "spark" and "_" in rest:
        raise UserError(
            f"The Master's address is {url!r}, but Spark takes no underscore in the name of a host. Give the host's "
            "address instead, or a name without one, such as spark://192.168.0.7:7077."
        )
    addresses = [_ADDRESS.fullmatch(part) for part in rest.split(",")]
    if scheme != "spark" or not all(addresses) or not all(0 < int(match[2]) < 65536 for match in addresses):
        raise UserError(
            f"The Master's address is {url!r}, but must be spark://host:port, such as spark://master.lab:7077. It stands "
            "at the top of the Master's web page (port 8080, if nobody changed it)."
        )
    return [(match[1].strip("[]"), int(match[2])) for match in addresses]


def reach_master(url: str) -> str:
    """Connects to a Master, and leaves it alone again.

    Returns:
        The address of this host from which the connection went out; Workers beside the Master can connect back to it.

    Raises:
        UserError: If nothing answers there in time.
    """
    reason = ""
    for address in master_addresses(url):
        try:
            with socket.create_connection(address, timeout=CONNECT_S) as connection:
                return connection.getsockname()[0]
        except OSError as error:
            reason = error.strerror or str(error)
    raise UserError(
        f"No Master answers at {url}: {reason}. Check that the Master runs, that host and port are those at the top of its "
        "web page, and that no firewall lies between. Without a cluster at hand, `kedro run` starts one of its own "
        "(spark_master=embedded)."
    )


def driver_address(url: str, properties: Mapping[str, object]) -> dict[str, str]:
    """The Spark property that tells executors where the driver is.

    Spark itself would take the address of the host's name, which many hosts map to loopback.

    Returns:
        The property; nothing where `SPARK_LOCAL_IP` or the properties of the configuration say otherwise.

    Raises:
        UserError: If the Master does not answer.
    """
    address = reach_master(url)
    if os.environ.get("SPARK_LOCAL_IP") or "spark.driver.host" in properties:
        return {}
    return {"spark.driver.host": f"[{address}]" if ":" in address else address}


@contextmanager
def refusals_explained(master: str | None, log: Path) -> Iterator[None]:
    """Turns what fails while a session starts into a `UserError`.

    Spark gives up a Master that does not answer in a thread of its own: any call may be the one that finds the
    session ended.

    Args:
        master: The Master's address; None for the embedded cluster, which is never to blame for its address.
        log: What the driver's JVM prints; may not be there yet.

    Raises:
        UserError: A call to Spark failed within the block.
    """
    from py4j.protocol import Py4JError
    from pyspark import SparkContext
    from pyspark.errors import PySparkException

    try:
        yield
    except UserError:
        raise
    except Exception as error:
        context = SparkContext._active_spark_context
        if context is not None and context._jsc.sc().isStopped():
            raise no_session(master, GIVEN_UP) from error
        if not isinstance(error, Py4JError | PySparkException | ConnectionError):
            raise
        if getattr(error, "error_class", None) == "JAVA_GATEWAY_EXITED":
            said = last_error(log.read_text(encoding="utf-8", errors="replace"))
            raise UserError(f"Spark's driver did not start: {said}. All that it says is in {log}.") from error
        failure = spark_failure(error)
        raise no_session(master, failure.reason.rstrip(".") if failure else str(error)) from error


def no_session(master: str | None, reason: str) -> UserError:
    """The error of a start that gives no session, on a Master or, for None, on the embedded cluster."""
    if master is None:
        return UserError(
            f"No Spark session on the embedded cluster: {reason}. Its logs lie in the folder of the run's logs."
        )
    return UserError(
        f"No Spark session on {master}: {reason}. Check that the Master runs and that this host can reach it, or "
        "use the embedded cluster (spark_master=embedded)."
    )
