"""How requests reach Label Studio: with either kind of token, patiently, with errors a user can act on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import httpx

from annotations.errors import StudioError

_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "PATCH", "DELETE"})
_TRANSIENT = frozenset({429, 502, 503, 504})
_WAITS = (0.3, 1.0, 3.0)
_MAX_WAIT = 30.0
_JWT_DOTS = 2
_MEBIBYTE = 1 << 20
# (bytes, seconds): an answer of ours is a page of 500 tasks at most; a project's export may be large.
_ANSWER_CAPS = (256 * _MEBIBYTE, 300.0)
_EXPORT_CAPS = (16_384 * _MEBIBYTE, 3_600.0)


class NotFoundError(StudioError):
    """Label Studio has no such project, task or annotation (any more)."""


class TokenAuth(httpx.Auth):
    """Sends a legacy token as it is; trades a personal access token (JWT) for a short-lived one first."""

    def __init__(self, token: str, url: str) -> None:
        self._token = token.strip()
        self._refresh_url = f"{url.rstrip('/')}/api/token/refresh/"
        self._access: str | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request with a valid token; see ``httpx.Auth``."""
        if self._token.count(".") != _JWT_DOTS:
            request.headers["Authorization"] = f"Token {self._token}"
            yield request
            return
        if self._access is None:
            yield from self._refresh(request)
        request.headers["Authorization"] = f"Bearer {self._access}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            yield from self._refresh(request)
            request.headers["Authorization"] = f"Bearer {self._access}"
            yield request

    def _refresh(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        extensions = {"timeout": request.extensions.get("timeout", {})}
        response = yield httpx.Request(
            "POST", self._refresh_url, json={"refresh": self._token}, extensions=extensions
        )
        response.read()
        try:
            access = response.json()["access"]
        except (ValueError, KeyError, TypeError):
            access = None
        if response.is_error or not isinstance(access, str):
            response.request = request
            raise httpx.HTTPStatusError("token refused", request=request, response=response)
        self._access = access


class _Patient(httpx.BaseTransport):
    """Repeats what may be repeated: what never reached the server, and idempotent calls it did not take."""

    def __init__(self, inner: httpx.BaseTransport, sleep: Callable[[float], None]) -> None:
        self._inner = inner
        self._sleep = sleep

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return _capped(request, self._patiently(request))

    def _patiently(self, request: httpx.Request) -> httpx.Response:
        for wait in _WAITS:
            try:
                response = self._inner.handle_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                self._sleep(wait)
                continue
            except (httpx.ReadError, httpx.RemoteProtocolError):
                if request.method not in _REPEATABLE:
                    raise
                self._sleep(wait)
                continue
            if request.method not in _REPEATABLE or response.status_code not in _TRANSIENT:
                return response
            response.close()
            self._sleep(max(wait, _asked_wait(response)))
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


class _Capped(httpx.SyncByteStream):
    """The body of an answer, which must end: else a server could fill the memory, or keep us for ever."""

    def __init__(self, inner: httpx.SyncByteStream, n_bytes: int, seconds: float) -> None:
        self._inner = inner
        self._n_bytes = n_bytes
        self._seconds = seconds

    def __iter__(self) -> Iterator[bytes]:
        end, left = time.monotonic() + self._seconds, self._n_bytes
        for piece in self._inner:
            left -= len(piece)
            if left < 0:
                raise httpx.RemoteProtocolError(f"an answer is larger than {self._n_bytes:,} bytes")
            if time.monotonic() > end:
                raise httpx.ReadTimeout(f"an answer did not end within {self._seconds:g} seconds")
            yield piece

    def close(self) -> None:
        self._inner.close()


def _capped(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":  # we did not ask for it
        response.close()
        raise httpx.RemoteProtocolError("an answer is compressed")
    caps = _EXPORT_CAPS if "/exports/" in request.url.path else _ANSWER_CAPS
    if isinstance(response.stream, httpx.SyncByteStream):
        response.stream = _Capped(response.stream, *caps)
    return response


def patient_client(
    url: str,
    auth: httpx.Auth | None = None,
    transport: httpx.BaseTransport | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> httpx.Client:
    """Return a client for the server at ``url``: timeouts, repeats with growing waits, no redirects followed.

    A redirect might lead the token to another server.  Answers are capped in size and time.
    """
    if not _is_address(url):
        raise StudioError("the address of Label Studio must be http://HOST or https://HOST", where=_safe(url))
    return httpx.Client(
        base_url=url,
        # Compressed, a small answer could become any number of bytes in memory.
        headers={"Accept-Encoding": "identity"},
        auth=auth,
        timeout=_TIMEOUT,
        transport=_Patient(transport or httpx.HTTPTransport(), sleep),
        follow_redirects=False,
    )


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn what a call may raise into a :class:`StudioError` that names the address and the way out."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise _refusal(url, error.response.status_code, _detail(error.response)) from None
    except httpx.TimeoutException as error:
        raise StudioError(
            "Label Studio did not answer in time",
            where=url,
            hint="Run the command again: it goes on from there.",
        ) from error
    except httpx.TransportError as error:
        raise StudioError(
            f"Label Studio is not reachable: {error}",
            where=url,
            hint="Start it (talkingpoints studio up), or correct its address.",
        ) from error
    except ValueError as error:
        raise StudioError(
            "the answer is not that of a Label Studio", where=url, hint="Check the address."
        ) from error
    except Exception as error:
        # The SDK's own error, known by its shape, so that the SDK need not be installed to be caught.
        status = getattr(error, "status_code", None)
        if not isinstance(status, int) or not hasattr(error, "body"):
            raise
        raise _refusal(url, status, _body_detail(error.body)) from None


def _refusal(url: str, status: int, detail: str) -> StudioError:
    if status == httpx.codes.NOT_FOUND:
        return NotFoundError(f"Label Studio has no such thing: {detail or 'not found'}", where=url)
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        hint = "Check the token (in Label Studio: Account & Settings)."
        if "legacy" in detail.lower():
            hint = (
                "Make a personal access token (Account & Settings > Personal Access Token) and use that, "
                "or let an owner allow legacy tokens (Organization > API Tokens Settings)."
            )
        return StudioError(f"Label Studio refuses the token ({status}): {detail}", where=url, hint=hint)
    if httpx.codes.is_redirect(status):
        return StudioError(
            f"Label Studio is elsewhere (redirect {status})",
            where=url,
            hint="Use its final address, with https.",
        )
    hint = "Run the command again; if it goes on, look at Label Studio's log." if status >= 500 else ""
    return StudioError(f"Label Studio answered {status}: {detail or 'no reason given'}", where=url, hint=hint)


def _detail(response: httpx.Response) -> str:
    try:
        return _body_detail(response.json())
    except (ValueError, httpx.ResponseNotRead):
        return ""


def _body_detail(body: object) -> str:
    if isinstance(body, dict):
        detail = body.get("validation_errors") or body.get("detail") or body.get("label_config") or ""
    else:
        detail = body if isinstance(body, (str, list)) else ""
    text = detail if isinstance(detail, str) else json.dumps(detail, ensure_ascii=False)
    return " ".join(text.split())[:400]


def _asked_wait(response: httpx.Response) -> float:
    value = response.headers.get("Retry-After", "")
    return min(float(value), _MAX_WAIT) if value.isdigit() else 0.0


def _is_address(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in ("http", "https") and bool(parsed.host) and not parsed.userinfo


def _safe(url: str) -> str:
    """Return the address without a name or password somebody put into it."""
    return url.rsplit("@", 1)[-1].split("?", 1)[0]
