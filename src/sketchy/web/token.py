"""A secret token, which requests from other machines need: it comes once with a link and then as a cookie."""

import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

PARAMETER = "token"
REFUSAL = "this page needs the link that `sketchy serve` shows in its terminal; open that"
REFUSAL_PAGE = f"""<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sketchy</title>
<p>{REFUSAL.replace("`", "").capitalize()}.
</html>
"""


def new_token() -> str:
    """Return a token of 128 random bits."""
    return secrets.token_urlsafe(16)


def link(address: str, token: str) -> str:
    """Return the link to the page at an address, which sets the cookie."""
    return f"{address}/?{PARAMETER}={token}"


class TokenRequired:
    """ASGI middleware that answers only requests with the token.

    The link to the page has it as a parameter, is answered with a cookie, and leads on to the page without it.

    Args:
        app: The wrapped application.
        token: The token.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or self._matches(_cookie(scope)):
            await self._app(scope, receive, send)
        elif scope["path"] == "/" and self._matches(_parameter(scope)):
            await self._welcome(scope)(scope, receive, send)
        else:
            await _refusal(scope)(scope, receive, send)

    def _matches(self, given: str) -> bool:
        return secrets.compare_digest(given.encode("utf-8", "replace"), self._token.encode())

    def _welcome(self, scope: Scope) -> Response:
        """Return the redirection to the page, with the cookie."""
        response = RedirectResponse("/", 303, {"Cache-Control": "no-store"})
        # Lax, not strict: a strict cookie would not be sent to the page if the link is opened from another site.
        response.set_cookie(_cookie_name(scope), self._token, httponly=True, samesite="lax")
        return response


def _refusal(scope: Scope) -> Response:
    """Return the answer without the token: to a person a page, which a phone shows in a readable size."""
    if "text/html" in Headers(scope=scope).get("accept", ""):
        return HTMLResponse(REFUSAL_PAGE, 401)
    return JSONResponse({"error": REFUSAL}, 401)


def _cookie_name(scope: Scope) -> str:
    """Return the name of the cookie: cookies are of a host, so the port keeps two servers apart."""
    server = scope.get("server") or ("", 0)
    return f"sketchy-{server[1]}"


def _cookie(scope: Scope) -> str:
    try:
        cookies = SimpleCookie(Headers(scope=scope).get("cookie", ""))
    except CookieError:
        return ""
    found = cookies.get(_cookie_name(scope))
    return found.value if found else ""


def _parameter(scope: Scope) -> str:
    values = parse_qs(scope["query_string"].decode("latin-1"))
    return str(values.get(PARAMETER, [""])[0])
