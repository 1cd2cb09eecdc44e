"""The page over HTTP: who is let in, what is escaped, and that forms alone are enough."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from bench.labelling import session
from bench.labelling.server import addresses
from tests.labelling.label_examples import (
    HOSTILE,
    TOKEN,
    Served,
    make_labelling,
    make_queue,
    served,
    showing,
)

PAGES = ["/", "/picture.png?step=0", "/sound.wav?step=0", "/style.css", "/label.js", "/icon.svg"]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Served]:
    with served(make_labelling(tmp_path), showing("image")) as running:
        yield running


def test_the_address_with_the_token_leads_in_and_off_the_address_bar(desk: Served) -> None:
    welcome = desk.get(f"/?token={TOKEN}", {})
    assert (welcome.status, welcome.headers["location"]) == (303, "/")
    cookie = welcome.headers["set-cookie"]
    assert cookie.startswith(f"bench_label_{desk.port}={TOKEN};")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert desk.get("/", {"Cookie": cookie.partition(";")[0]}).status == 200


@pytest.mark.parametrize("path", [*PAGES, "/nothing", "/docs", "/openapi.json"])
def test_without_the_token_everything_is_refused(desk: Served, path: str) -> None:
    assert desk.get(path, {}).status == 403
    for wrong in ("", "wrong", TOKEN[:-1], TOKEN + "x", "%C3%A9"):
        assert desk.get(path, {"Cookie": f"bench_label_{desk.port}={wrong}"}).status == 403
        assert desk.get(f"{path}{'&' if '?' in path else '?'}token={wrong}", {}).status == 403


def test_a_wrong_token_in_the_address_is_refused_even_with_the_cookie(desk: Served) -> None:
    assert desk.get("/?token=wrong").status == 403


def test_another_port_of_this_machine_has_another_cookie(desk: Served) -> None:
    assert desk.get("/", {"Cookie": f"bench_label_1={TOKEN}"}).status == 403


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil:{}"])
def test_a_foreign_host_is_refused(desk: Served, path: str, host: str) -> None:
    host = host.format(desk.port)
    assert desk.get(path, {**desk.known, "Host": host, "Origin": f"http://{host}"}).status == 403
    assert desk.get(f"/?token={TOKEN}", {"Host": host}).status == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", ""])
def test_a_foreign_origin_is_refused(desk: Served, origin: str) -> None:
    headers = {**desk.known, "Origin": origin}
    assert desk.get("/", headers).status == 403
    assert desk.post("/answer", headers, step=0, tag=1).status == 403
    assert desk.post("/undo", headers, step=0).status == 403
    assert desk.labelling.tags == {}


def test_https_of_the_same_name_is_another_origin(desk: Served) -> None:
    headers = {**desk.known, "Origin": f"https://{desk.address}"}
    assert desk.post("/answer", headers, step=0, tag=1).status == 403


def test_a_change_without_an_origin_is_refused(desk: Served) -> None:
    headers = {"Cookie": desk.known["Cookie"]}
    assert desk.get("/", headers).status == 200
    assert desk.post("/answer", headers, step=0, tag=1).status == 403
    assert desk.post(f"/answer?token={TOKEN}", headers, step=0, tag=1).status == 403
    assert desk.labelling.tags == {}


def test_localhost_is_a_name_of_this_server(desk: Served) -> None:
    name = f"localhost:{desk.port}"
    headers = {**desk.known, "Host": name, "Origin": f"http://{name}"}
    assert desk.post("/answer", headers, step=0, tag=1).status == 303


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("127.0.0.1", ["127.0.0.1:5", "localhost:5"]),
        ("localhost", ["localhost:5", "127.0.0.1:5"]),
        ("0.0.0.0", ["127.0.0.1:5", "localhost:5"]),  # noqa: S104
        ("::1", ["[::1]:5", "localhost:5", "127.0.0.1:5"]),
        ("192.168.0.7", ["192.168.0.7:5"]),
    ],
)
def test_names_of_a_server(host: str, names: list[str]) -> None:
    assert addresses(host, 5) == names


@pytest.mark.parametrize("path", ["/answer", "/undo"])
def test_reading_changes_nothing(desk: Served, path: str) -> None:
    assert desk.get(f"{path}?step=0&tag=1").status == 405
    assert desk.labelling.tags == {}


@pytest.mark.parametrize(
    "path",
    ["/static/", "/templates/page.html.j2", "/../session.py", "/%2e%2e/session.py", "//etc/passwd",
     "/tags.json", "/docs", "/redoc", "/openapi.json", "/picture.png/", "/label.js/../x"],
)  # fmt: skip
def test_there_is_nothing_else(desk: Served, path: str) -> None:
    assert desk.get(path).status == 404


@pytest.mark.parametrize("path", [*PAGES, "/nothing"])
def test_every_answer_forbids_what_is_not_from_here(desk: Served, path: str) -> None:
    for headers in (desk.known, {}):
        found = desk.get(path, headers).headers
        policy = found["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert found["cache-control"] == "no-store"
        assert found["cross-origin-resource-policy"] == "same-origin"
        assert found["x-content-type-options"] == "nosniff"
        assert "server" not in found


def test_the_token_is_nowhere_on_the_page(desk: Served) -> None:
    assert all(TOKEN.encode() not in desk.get(path).body for path in PAGES)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("step=0&tag=" + "1" * 5000, "application/x-www-form-urlencoded", 413),
        ("step=0&tag=1" + "&x=1" * 9, "application/x-www-form-urlencoded", 400),
        ('{"step": 0, "tag": 1}', "application/json", 415),
        ("step=0&tag=1", "text/plain", 415),
        ("step=0&tag=10", "application/x-www-form-urlencoded", 422),
        ("step=0&tag=-1", "application/x-www-form-urlencoded", 422),
        ("step=0&tag=1%00", "application/x-www-form-urlencoded", 422),
        ("", "application/x-www-form-urlencoded", 422),
        ("tag=1", "application/x-www-form-urlencoded", 303),
        ("step=%C2%B2&tag=1", "application/x-www-form-urlencoded", 303),
        ("step=99999999999999999999&tag=1", "application/x-www-form-urlencoded", 303),
    ],
)
def test_malformed_forms_change_nothing(desk: Served, body: str, kind: str, status: int) -> None:
    answer = desk.ask("POST", "/answer", body, {**desk.known, "Content-Type": kind})
    assert answer.status == status
    assert desk.labelling.tags == {}


def test_forms_alone_answer_and_take_back(desk: Served) -> None:
    assert desk.post("/answer", step=0, tag=7).status == 303
    assert desk.post("/answer", step=0, tag=8).status == 303  # a second click
    assert desk.post("/answer", step=1, tag="unsure").status == 303
    assert desk.labelling.tags == {0: "7", 1: "unsure"}
    assert desk.post("/answer", step=2, name="SEVEN").status == 422
    assert desk.post("/answer", step=2, name="9").status == 303
    assert desk.post("/undo", step=3).status == 303
    assert desk.post("/undo", step=3).status == 303
    assert desk.labelling.tags == {0: "7", 1: "unsure"}
    assert "Take back “unsure”" in desk.get().text


def test_a_picture_is_that_of_the_page_alone(desk: Served) -> None:
    first = desk.get("/picture.png?step=0")
    assert (first.status, first.headers["content-type"]) == (200, "image/png")
    desk.post("/answer", step=0, tag=7)
    assert desk.get("/picture.png?step=0").status == 404
    assert desk.get("/picture.png?step=1").body != first.body
    assert desk.get("/picture.png?step=/etc/passwd").status == 422


def test_a_full_disk_is_said_on_the_page(desk: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(session, "write_atomically", full)
    answer = desk.post("/answer", step=0, tag=7)
    assert answer.status == 500
    assert "cannot be written (No space left on device)." in answer.text
    assert "Inspected in it</dt><dd>0 of" in answer.text


@pytest.mark.parametrize("kind", ["text", "table"])
def test_hostile_names_and_words_are_only_text(tmp_path: Path, kind: str) -> None:
    labelling = make_labelling(tmp_path, make_queue(HOSTILE))
    with served(labelling, showing(kind)) as desk:  # type: ignore[arg-type]
        desk.post("/answer", step=0, tag=0)
        fault = desk.post("/answer", step=1, name=HOSTILE[1])
        assert fault.status == 303  # a class's own name, as typed
        page = desk.get().text
        wrong = desk.post("/answer", step=2, name="<b>bold</b>").text
    for text in (page, wrong):
        assert re.findall(r"<script\b[^>]*>", text) == ['<script src="/label.js" defer>']
        assert "<img" not in text
        assert "<b>" not in text
        assert "{{ 7*7 }}" in text
        assert " style=" not in text
        assert " on" not in re.sub(r">[^<]*<", "><", text)  # no inline handler
    assert 'There is no class "<b>bold</b>".' in unescape(wrong)


def test_many_classes_are_typed(tmp_path: Path) -> None:
    labelling = make_labelling(tmp_path, make_queue(tuple(f"class {i}" for i in range(200))))
    with served(labelling, showing("image")) as desk:
        page = desk.get().text
        assert 'list="classes"' in page
        assert page.count("<option ") == 200
        desk.post("/answer", step=0, name="class 150")
    assert labelling.tags == {0: "class 150"}


def test_when_all_is_done_the_page_says_what_to_run(tmp_path: Path) -> None:
    labelling = make_labelling(tmp_path, make_queue(clusters=1))
    with served(labelling, showing("sound")) as desk:
        assert desk.get("/sound.wav?step=0").body.startswith(b"RIFF")
        for step in range(3):
            desk.post("/answer", step=step, tag=7)
        page = desk.get().text
        assert "bench --suite digits" in page
        assert desk.get("/sound.wav?step=3").status == 404
        desk.post("/undo", step=3)
        assert "inspection 3" in desk.get().text


def test_a_second_host_header_is_no_way_in(desk: Served) -> None:
    with socket.create_connection(("127.0.0.1", desk.port), timeout=20) as raw:
        lines = ["GET / HTTP/1.1", f"Host: {desk.address}", "Host: evil.example",
                 f"Cookie: {desk.known['Cookie']}", "Connection: close", "", ""]  # fmt: skip
        raw.sendall("\r\n".join(lines).encode())
        assert raw.recv(64).split()[1] in (b"400", b"403")
