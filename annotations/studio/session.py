"""What Label Studio offers to browsers only: its forms to sign up and log in, and tokens of one's own."""

from __future__ import annotations

import httpx

from annotations.errors import StudioError
from annotations.studio.answers import checked_mapping
from annotations.studio.transport import explained, patient_client


def sign_up(url: str, invitation: str, login: tuple[str, str]) -> httpx.Client | None:
    """Make an account by an invitation and return its session; None where the address has one already."""
    session = patient_client(url)
    if _submit(session, url, invitation, login):
        return session
    session.close()
    return None


def log_in(url: str, login: tuple[str, str]) -> httpx.Client:
    """Log in and return the session.

    Raises
    ------
    StudioError
        The password is another one.
    """
    session = patient_client(url)
    if not _submit(session, url, "user/login/", login):
        session.close()
        raise StudioError(
            f"the account {login[0]} exists, with a password that is not ours",
            where=url,
            hint="Choose another name, or delete the account in Label Studio.",
        )
    return session


def own_token(session: httpx.Client, url: str) -> str:
    """Return the legacy token of who is logged in."""
    with explained(url):
        answer = session.get("api/current-user/token").raise_for_status().json()
    return _token(answer, url)


def personal_token(session: httpx.Client, url: str) -> str:
    """Make a personal access token (JWT) for who is logged in."""
    headers = {"X-CSRFToken": _csrf(session), "Referer": url}
    with explained(url):
        answer = session.post("api/token/", headers=headers, json={}).raise_for_status().json()
    return _token(answer, url)


def _submit(session: httpx.Client, url: str, path: str, login: tuple[str, str]) -> bool:
    """Fill in a form; Label Studio answers with a redirect where it is content, with the form where not."""
    with explained(url):
        session.get(path).raise_for_status()
        form = {"email": login[0], "password": login[1], "csrfmiddlewaretoken": _csrf(session)}
        response = session.post(path, data=form, headers={"Referer": url})
        if response.is_error:
            response.raise_for_status()
        return response.is_redirect


def _token(answer: object, url: str) -> str:
    token = checked_mapping(answer, url).get("token")
    if not isinstance(token, str) or not token:
        raise StudioError("Label Studio gives no token", where=url, hint="Make one in Account & Settings.")
    return token


def _csrf(session: httpx.Client) -> str:
    return session.cookies.get("csrftoken") or ""
