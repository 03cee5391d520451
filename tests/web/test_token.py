"""Who may see the photos if other machines can connect."""

import secrets

import pytest
from starlette.testclient import TestClient

from sketchy.web.app import create_app
from sketchy.web.token import link, new_token

ADDRESS = "http://photos.home:8000"


@pytest.fixture
def client(index):
    return TestClient(create_app(index, token="right"), base_url=ADDRESS)


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/static/style.css", "/api/info", "/healthz", "/openapi.json", "/?token="]
)
def test_nothing_is_shown_without_the_token(client, path):
    answer = client.get(path)
    assert answer.status_code == 401
    assert "open that" in answer.json()["error"]
    assert "default-src" in answer.headers["content-security-policy"]


def test_a_person_without_the_token_gets_a_page(client):
    answer = client.get("/", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "<p>This page needs the link that sketchy serve shows in its terminal; open that." in answer.text
    assert "width=device-width" in answer.text
    assert "default-src" in answer.headers["content-security-policy"]


def test_the_link_leads_to_the_page_and_leaves_a_cookie_that_scripts_cannot_read(client):
    answer = client.get(link(ADDRESS, "right"), follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("sketchy-8000=right;")
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert client.get("/").status_code == 200
    assert client.get("/api/info").json()["photos"] == 40


@pytest.mark.parametrize("token", ["wrong", "", "righ", "right2", "%C3%A9", "%00"])
def test_a_wrong_token_is_refused(client, token):
    assert client.get(f"/?token={token}", follow_redirects=False).status_code == 401
    assert client.get("/", headers={"cookie": f"sketchy-8000={token}"}).status_code == 401


@pytest.mark.parametrize("cookie", ["sketchy-8000", "sketchy-8001=right", "\x7f=;;", "right"])
def test_other_cookies_are_no_token(client, cookie):
    assert client.get("/", headers={"cookie": cookie}).status_code == 401


def test_the_token_in_an_address_opens_only_the_page(client):
    assert client.get("/api/info?token=right").status_code == 401


def test_tokens_are_compared_in_constant_time(client, monkeypatch):
    compared = []
    compare = secrets.compare_digest
    monkeypatch.setattr(secrets, "compare_digest", lambda *both: compared.append(both) or compare(*both))
    client.get("/?token=other")
    assert (b"other", b"right") in compared


def test_every_start_has_another_token():
    assert len({new_token() for _ in range(100)}) == 100
    assert min(len(new_token()) for _ in range(100)) >= 22


def test_on_this_machine_no_token_is_needed(index):
    with TestClient(create_app(index), base_url="http://localhost:8000") as client:
        answer = client.get("/")
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
