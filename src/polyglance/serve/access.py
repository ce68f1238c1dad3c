"""Who may ask: whoever shows the token, in a header of its own or as a browser's password.

A browser asks for the password itself (HTTP Basic, RFC 7617), whatever page or picture it wants,
and sends it along from then on; it remembers it for this very address alone. There is no session
that could be stolen, and no cookie.
"""

from __future__ import annotations

import binascii
import os
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field
from hmac import compare_digest
from ipaddress import ip_address
from pathlib import Path

from polyglance.errors import PolyglanceError
from polyglance.serve.asgi import App, Header, Receive, Scope, Send
from polyglance.serve.interface import N_
from polyglance.serve.refusal import refuse

VARIABLE = "POLYGLANCE_TOKEN"
FEWEST_CHARACTERS, MOST_CHARACTERS = 16, 1024
MAKE_ONE = "make one with 'openssl rand -hex 32'"
# Whoever watches over the server sees whether it lives, and nothing else.
OPEN = frozenset({"/health", "/ready"})
CHALLENGES = (
    (b"www-authenticate", b'Bearer realm="Polyglance"'),
    (b"www-authenticate", b'Basic realm="Polyglance", charset="UTF-8"'),
)


@dataclass(frozen=True, slots=True)
class Token:
    """A secret; whoever prints this object does not print it.

    Attributes:
        secret: itself, in ASCII.
    """

    secret: str = field(repr=False)

    @classmethod
    def of(cls, content: str, *, source: str) -> Token:
        """Check what a file or a variable holds.

        Args:
            content: the token, with white space around it.
            source: named in messages, where the token is not.

        Raises:
            PolyglanceError: it is too short to be a secret, too long, or no header could carry it.
        """
        secret = content.strip()
        if len(secret) < FEWEST_CHARACTERS:
            raise PolyglanceError(
                f"{source}: a token of {len(secret)} characters can be guessed; it needs "
                f"{FEWEST_CHARACTERS} or more: {MAKE_ONE}"
            )
        if len(secret) > MOST_CHARACTERS:
            raise PolyglanceError(
                f"{source}: a token has at most {MOST_CHARACTERS} characters: {MAKE_ONE}"
            )
        if not all("!" <= character <= "~" for character in secret):
            raise PolyglanceError(
                f"{source}: a token is one word of ASCII characters, without spaces: {MAKE_ONE}"
            )
        return cls(secret)

    def is_shown_by(self, authorization: bytes) -> bool:
        """Whether a header ``Authorization`` has the token; takes as long for any other one."""
        shown = _shown(authorization)
        return shown is not None and compare_digest(shown, self.secret.encode())


class Access:
    """Lets only those pass who show the token.

    Args:
        app: what is kept.
        token: to be shown.
    """

    def __init__(self, app: App, *, token: Token) -> None:
        self.app = app
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] in OPEN or self._is_known(scope["headers"]):
            await self.app(scope, receive, send)
        else:
            reason = N_(
                "show the token of this server: as a bearer, or as the password of any user"
            )
            await refuse(scope, send, 401, PolyglanceError(reason), CHALLENGES)

    def _is_known(self, headers: Sequence[Header]) -> bool:
        shown = [value for name, value in headers if name == b"authorization"]
        return len(shown) == 1 and self.token.is_shown_by(shown[0])


def token_to_show(file: Path | None, *, host: str, without: bool = False) -> Token | None:
    """The token that a server asks for: the file's, else the environment's; or ``None``.

    Args:
        file: that holds it.
        host: address that the server will listen on.
        without: whether others may reach it though there is no token.

    Raises:
        PolyglanceError: there is none and others may not; the file cannot be read; or what is
            there is no token.
    """
    if file is not None:
        return Token.of(_content(file), source=str(file))
    if content := os.environ.get(VARIABLE):
        return Token.of(content, source=f"the environment variable {VARIABLE}")
    if without or is_loopback(host):
        return None
    raise PolyglanceError(
        f"at {host} everyone who can reach this machine could search and see these pictures; "
        f"give --token-file ({MAKE_ONE}), or --without-token if that is what you want"
    )


def is_loopback(host: str) -> bool:
    """Whether an address, or ``localhost``, can be reached from this machine alone.

    An address is no name that could be made to lead here, so it is one that may be answered, too.
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _content(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(2 * MOST_CHARACTERS).decode("utf-8", "replace")
    except OSError as error:
        raise PolyglanceError(f"{file}: the token cannot be read: {error.strerror}") from None


def _shown(authorization: bytes) -> bytes | None:
    """What a header shows as the token, if it shows anything."""
    scheme, _, credentials = authorization.partition(b" ")
    if scheme.lower() == b"bearer":
        return credentials.strip()
    if scheme.lower() == b"basic":
        try:
            _, _, password = b64decode(credentials.strip(), validate=True).partition(b":")
        except binascii.Error:
            return None
        return password
    return None
