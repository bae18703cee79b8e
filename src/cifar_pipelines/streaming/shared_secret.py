"""A secret that both ends know, and prove to know without sending it.

The server sends a number that it has never used before, the client another one, and each answers with an HMAC-SHA256 of
both (challenge and response, as in RFC 2195; both sides as in ISO/IEC 9798-4). What somebody hears is of no use with the
next numbers. It keeps strangers out; it does not hide the images, see docs/streaming.md.
"""

import hmac
import ipaddress
import os
import secrets
from collections.abc import Mapping

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.streaming.connection import addresses_of

VARIABLE = "CIFAR_STREAM_SECRET"
LEAST = 16  # signs; a shorter one could be guessed from an answer that was heard
SERVER, CLIENT = "server", "client"


def secret_of(environment: Mapping[str, str] = os.environ) -> bytes | None:
    """The secret of this process; None where there is none.

    Raises:
        UserError: If it is too short.
    """
    secret = environment.get(VARIABLE, "")
    if secret and len(secret) < LEAST:
        raise UserError(
            f"{VARIABLE} has {len(secret)} signs, but must have at least {LEAST}, or it can be guessed. Make one with "
            "`openssl rand -hex 32`, and set it on both sides."
        )
    return secret.encode(errors="surrogateescape") or None


def challenge() -> str:
    """A number that was never used before, as text."""
    return secrets.token_hex(32)


def answer(secret: bytes, who: str, of_server: str, of_client: str) -> str:
    """What `SERVER` or `CLIENT` has to answer to the challenges of both."""
    return hmac.new(secret, f"{who} {of_server} {of_client}".encode(), "sha256").hexdigest()


def is_right(given: object, wanted: str) -> bool:
    """Whether an answer is the wanted one; takes as long for a nearly right one."""
    return isinstance(given, str) and hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


def require_secret_beyond_loopback(host: str, secret: bytes | None) -> None:
    """Raises a `UserError` for a server that would be open to the network."""
    if secret is None and not all(ipaddress.ip_address(address).is_loopback for _, address in addresses_of(host)):
        raise UserError(
            f"The host {host} can be reached from other machines, and whoever reaches it would get the images. Set "
            f"{VARIABLE} to the same secret on both sides, or serve on 127.0.0.1 alone."
        )
