"""Tests of service.guard and service.routes.access: who is let in, from where, for what, how often."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute

from annotations.ledger.api_keys import add_key, revoke_keys
from annotations.ledger.audit import AuditEntry, read_audit
from annotations.ledger.store import open_ledger
from service.app import create_app
from service.keys import new_key
from service.rates import Buckets, address_bucket
from service.routes.access import require_scope
from service.settings import Settings, load_settings
from service.testing import FakeTagger, InProcessClient, in_process

OUTSIDE = "192.0.2.1"
POST = {"json": {"text": "A multipolar world."}}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a workspace with a ledger."""
    open_ledger(load_settings(home=tmp_path).workspace.ledger_url).close()
    return tmp_path


def _key(home: Path, *scopes: str) -> dict[str, str]:
    """Make a key and return the header that shows it."""
    token, row = new_key("-".join(("a", *scopes)), scopes)
    ledger = open_ledger(load_settings(home=home).workspace.ledger_url)
    add_key(ledger, row)
    ledger.close()
    return {"Authorization": f"Bearer {token}"}


def _app(home: Path, **chosen: Any) -> FastAPI:
    return create_app(load_settings(home=home, **chosen), FakeTagger())


@contextmanager
def _outside(home: Path, **chosen: Any) -> Iterator[InProcessClient]:
    with in_process(_app(home, **chosen), caller=OUTSIDE) as client:
        yield client


def test_this_machine_needs_no_key(home: Path) -> None:
    """A program of this machine may do everything, with the ledger never looked at."""
    (home / "ledger.db").write_bytes(b"no database at all")
    with in_process(_app(home)) as client:
        assert client.post("/v1/predict", **POST).status_code == 200
        assert client.get("/metrics").status_code == 200


def test_this_machine_needs_a_key_where_that_is_set(home: Path) -> None:
    """With require_keys=yes nobody is let in without a key, but to the probe of life."""
    headers = _key(home, "predict")
    with in_process(_app(home, require_keys="yes")) as client:
        assert client.post("/v1/predict", **POST).status_code == 401
        assert client.post("/v1/predict", headers=headers, **POST).status_code == 200
        assert [client.get(path).status_code for path in ("/healthz", "/readyz", "/assets/page.css")] == [
            200
        ] * 3
        assert [client.get(path).status_code for path in ("/", "/docs", "/openapi.json")] == [401] * 3


@pytest.mark.parametrize(
    "header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via"]
)
def test_what_comes_through_a_proxy_is_not_local(home: Path, header: str) -> None:
    """A request that a proxy on this machine passes on needs a key, whoever it says to be for."""
    with in_process(_app(home)) as client:
        for value in ("127.0.0.1", "192.0.2.7", ""):
            answer = client.post("/v1/predict", headers={header: value}, **POST)
            assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")


def test_a_wrong_key_is_refused_even_on_this_machine(home: Path) -> None:
    """Who shows a key is judged by it: a scope that is not there is missed early."""
    headers = _key(home, "studio")
    with in_process(_app(home)) as client:
        assert client.post("/v1/predict", headers={"Authorization": "Bearer x"}, **POST).status_code == 401
        assert client.post("/v1/predict", headers=headers, **POST).status_code == 403


@pytest.mark.parametrize("caller", ["192.0.2.1", "127.0.0.1"])
def test_an_exposed_socket_without_keys_answers_nothing(home: Path, caller: str) -> None:
    """Started by hand on other addresses, past the check at the start, the service tells by its own socket."""
    with in_process(_app(home), server="10.0.0.7", caller=caller) as client:
        answers = [
            client.get(path) for path in ("/", "/readyz", "/v1/models", "/docs", "/metrics", "/nowhere")
        ]
        answers.append(client.post("/v1/predict", **POST))
    assert {answer.status_code for answer in answers} == {403}
    assert "talkingpoints keys create" in answers[0].json()["detail"]


def test_an_exposed_socket_with_keys_asks_for_one(home: Path) -> None:
    """As soon as there is a key, those who have it are let in, and others asked for it."""
    headers = _key(home, "predict")
    with in_process(_app(home), server="10.0.0.7", caller=OUTSIDE) as client:
        assert client.post("/v1/predict", **POST).status_code == 401
        assert client.post("/v1/predict", headers=headers, **POST).status_code == 200
        assert client.get("/readyz").status_code == 200


SCOPED = [
    ("POST", "/v1/predict", "predict"),
    ("POST", "/v1/predict/batch", "predict"),
    ("POST", "/", "predict"),
    ("GET", "/metrics", "admin"),
    ("POST", "/studio/train", "studio"),
    ("GET", "/studio/health", "studio"),
]


@pytest.mark.parametrize(("method", "path", "scope"), SCOPED)
def test_scopes(home: Path, method: str, path: str, scope: str) -> None:
    """A key opens what its scope is for and nothing else; the refusal names the scope that lacks."""
    keys = {each: _key(home, each) for each in ("predict", "admin", "studio")}
    with _outside(home) as client:
        for each, headers in keys.items():
            answer = client.request(method, path, headers=headers)
            assert (answer.status_code == 403) is (each != scope)
            if answer.status_code == 403:
                assert scope in answer.json()["detail"]
        assert client.request(method, path).status_code == 401


def test_any_key_reads_what_is_served(home: Path) -> None:
    """The codebook, the models, the pages and the reference are for every key."""
    keys = [_key(home, scope) for scope in ("predict", "admin", "studio")]
    with _outside(home) as client:
        for headers in keys:
            for path in ("/v1/codebook", "/v1/models", "/codebook", "/docs", "/openapi.json"):
                assert client.get(path, headers=headers).status_code == 200
                assert client.get(path).status_code == 401


def test_pages_ask_a_browser_for_a_key(home: Path) -> None:
    """A browser is asked by Basic authentication, with the key as the password; a program by Bearer alone."""
    with _outside(home) as client:
        assert "Basic" in client.get("/").headers["www-authenticate"]
        assert "Basic" not in client.get("/v1/models").headers["www-authenticate"]


def test_every_route_says_who_may_use_it(home: Path) -> None:
    """No route of the API is without a scope, and the document says what each operation needs."""
    app = _app(home)
    with in_process(app) as client:
        document = client.get("/openapi.json").json()
    assert set(document["components"]["securitySchemes"]) == {"key", "keyHeader"}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path.startswith("/v1/"):
                assert {"key", "keyHeader"} <= {name for need in operation["security"] for name in need}, path
                assert {"401", "403", "421", "429", "503"} <= set(operation["responses"])
                if method == "post":
                    assert operation["security"][0]["key"], path
    assert document["paths"]["/v1/predict"]["post"]["security"][0] == {"key": ["predict"]}


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1:8000", True),
        ("127.9.9.9", True),
        ("localhost:1", True),
        ("LOCALHOST", True),
        ("localhost.", True),
        ("[::1]:8000", True),
        ("tags.example.org", True),
        ("TAGS.example.org:443", True),
        ("studio-calls.example.org", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example:8000", False),
        ("evil.example#127.0.0.1", False),
        ("user@127.0.0.1", False),
        ("127.0.0.1:8000, evil.example", False),
        ("[::1", False),
        ("10.0.0.7", False),
        ("2130706433", False),
        ("", False),
    ],
)
def test_hosts(home: Path, host: str, is_ours: bool) -> None:
    """A name that is led to 127.0.0.1 (DNS rebinding) is not answered; ours and those set are."""
    chosen = {
        "allowed_hosts": "tags.example.org, other",
        "studio_backend_url": "http://studio-calls.example.org",
    }
    key = _key(home, "predict")
    with in_process(_app(home, **chosen)) as client:
        answer = client.get("/v1/models", headers={"Host": host} | key)
        assert answer.status_code == (200 if is_ours else 421)
        # Called by another name than those of this machine, it is called through a proxy.
        keyless = client.get("/v1/models", headers={"Host": host}).status_code
        assert keyless == (421 if not is_ours else 401 if "example" in host else 200)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://127.0.0.1:8000"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:9000"}, 403),
        ({"Origin": "http://[broken"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8000"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_pages_of_other_sites_change_nothing(home: Path, headers: dict[str, str], status: int) -> None:
    """A browser that another site's page sends is refused, whatever it posts; no answer allows other origins."""
    with in_process(_app(home)) as client:
        for options in (POST, {"data": {"text": "a"}}):
            path = "/v1/predict" if "json" in options else "/"
            answer = client.post(path, headers=headers, **options)
            assert answer.status_code == status
            assert not [name for name in answer.headers if name.startswith("access-control")]
        assert client.get("/v1/models", headers=headers).status_code == 200
        assert client.request("OPTIONS", "/v1/predict", headers=headers).status_code == 405


def test_the_rate_of_a_key_is_limited(home: Path) -> None:
    """A key has its burst, then 429 with the time to wait; another key and this machine are not concerned."""
    first, second = _key(home, "predict"), _key(home, "predict", "admin")
    with _outside(home, rate_per_second=0.01, rate_burst=3) as client:
        answers = [client.post("/v1/predict", headers=first, **POST) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == [
            "r=2",
            "r=1",
            *["r=0"] * 3,
        ]
        assert answers[0].headers["ratelimit-policy"] == '"requests";q=3;w=300'
        assert 90 <= int(answers[-1].headers["retry-after"]) <= 100
        assert client.post("/v1/predict", headers=second, **POST).status_code == 200
        assert [client.post("/v1/predict", **POST).status_code for _ in range(4)] == [401, 401, 401, 429]
        assert client.get("/healthz").status_code == 200
    with in_process(_app(home, rate_per_second=0.01, rate_burst=3)) as client:
        assert {client.post("/v1/predict", **POST).status_code for _ in range(9)} == {200}


def test_buckets_fill_and_are_forgotten() -> None:
    """A token comes back in its time, never more than the burst; no number of callers fills the memory."""
    buckets = Buckets(rate=2.0, burst=4)
    assert [buckets.take("a", 0.0).is_allowed for _ in range(5)] == [True] * 4 + [False]
    assert buckets.take("a", 0.5).is_allowed
    assert [buckets.take("a", 1000.0).is_allowed for _ in range(5)] == [True] * 4 + [False]
    for number in range(30_000):
        buckets.take(str(number), 2000.0)
    assert len(buckets._buckets) <= 10_000


def test_an_ipv6_customer_has_one_bucket() -> None:
    """Addresses of one /64 share a bucket, as they cost nothing."""
    assert (
        address_bucket("2001:db8::1")
        == address_bucket("2001:db8::ffff:1")
        != address_bucket("2001:db8:0:1::1")
    )
    assert address_bucket("192.0.2.1") != address_bucket("192.0.2.2")
    assert address_bucket("fe80::1%eth0") == address_bucket("fe80::2%eth1")
    assert address_bucket("") == "address:unknown"


def _with_admin_route(settings: Settings) -> FastAPI:
    app = create_app(settings, FakeTagger())

    @app.post("/v1/models/{version}/test", dependencies=[Depends(require_scope("admin"))], operation_id="act")
    def act(version: str) -> dict[str, str]:
        return {}

    app.router.routes.sort(
        key=lambda route: not (isinstance(route, APIRoute) and route.operation_id == "act")
    )
    return app


def _audit(home: Path) -> list[AuditEntry]:
    ledger = open_ledger(load_settings(home=home).workspace.ledger_url)
    found = list(read_audit(ledger, 10))
    ledger.close()
    return found


def test_acts_of_administrators_are_recorded(home: Path) -> None:
    """Who did what to what is in the ledger before the answer is sent, also what was refused; nothing else is."""
    admin, other = _key(home, "admin"), _key(home, "predict")
    with in_process(_with_admin_route(load_settings(home=home)), caller=OUTSIDE) as client:
        assert client.post("/v1/models/abc123/test", headers=admin).status_code == 200
        assert client.post("/v1/models/abc123/test", headers=other).status_code == 403
        assert client.post("/v1/models/a%20secret%3Cb%3E/test", headers=admin).status_code == 200
        assert client.post("/v1/models/abc123/test").status_code == 401
        client.post("/v1/predict", headers=other, **POST)
    found = [(entry.actor, entry.act, entry.subject, entry.outcome) for entry in reversed(_audit(home))]
    assert found == [
        ("key:a-admin", "act", "abc123", "done"),
        ("key:a-predict", "act", "abc123", "refused: 403"),
        ("key:a-admin", "act", "(unnamed)", "done"),
    ]


def test_an_act_is_not_refused_for_want_of_a_record(home: Path) -> None:
    """Where the ledger cannot be written, the act is done, and the log has it."""
    (home / "ledger.db").write_bytes(b"no database at all")
    with in_process(_with_admin_route(load_settings(home=home))) as client:
        assert client.post("/v1/models/abc123/test").status_code == 200


def test_a_key_revoked_while_it_waits_is_refused(home: Path) -> None:
    """The next request after the ring's second is refused, without a restart."""
    headers = _key(home, "predict")
    app = _app(home)
    with in_process(app, caller=OUTSIDE) as client:
        assert client.post("/v1/predict", headers=headers, **POST).status_code == 200
        ledger = open_ledger(load_settings(home=home).workspace.ledger_url)
        revoke_keys(ledger, "a-predict")
        ledger.close()
        app.state.ring._read_at -= 1.01
        assert client.post("/v1/predict", headers=headers, **POST).status_code == 401
