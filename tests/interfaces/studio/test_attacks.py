"""Attacks on the studio: nothing runs, nothing leaks, and each refusal is a sentence."""

from collections.abc import Iterator

import pytest

from tests.interfaces.studio.studio_on import Studio, running

pytestmark = pytest.mark.filterwarnings("default")
RAISES = "secret = 'sk-planted-4711'\nraise RuntimeError('the tower is down')\n"
EXITS = "import sys\nsys.exit('no')\n"
SKIPS = "class Skipped(BaseException): ...\nraise Skipped('not today')\n"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio of three files that cannot be imported."""
    folder = tmp_path_factory.mktemp("attacked")
    (folder / "raises_at_import.py").write_text(RAISES)
    (folder / "exits_at_import.py").write_text(EXITS)
    (folder / "skips_at_import.py").write_text(SKIPS)
    names = [f"{how}_at_import.py:app" for how in ("raises", "exits", "skips")]
    with running(folder, names) as opened:
        yield opened


PATHS = ("/", "/page/main.js", "/api/studio", "/api/threads?graph=x", "/nothing")


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_every_address_is_a_sentence(studio: Studio, path: str) -> None:
    """No page, no script and no list of graphs."""
    for headers in (
        {},
        {"Cookie": f"turngraph-studio-{studio.port}=guess"},
        {"Cookie": 'turngraph-studio="unfinished'},
    ):
        status, text, sent = studio.send("GET", path, None, headers)
        assert (status, text.count("\n")) == (403, 1)
        assert "needs its token" in text
        assert "Set-Cookie" not in sent


def test_the_token_becomes_a_cookie_that_no_script_reads(studio: Studio) -> None:
    """It stands in the address once. A path like `//host` leads to no other machine."""
    status, _, headers = studio.send("GET", f"/?token={studio.token}&x=1")
    assert (status, headers["location"]) == (303, "/?x=1")
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    # Also where the browser has the cookie already.
    known = {"Cookie": studio.cookie}
    status, _, headers = studio.send("GET", f"/?token={studio.token}", None, known)
    assert (status, headers["location"]) == (303, "/")
    _, _, headers = studio.send("GET", f"//evil.example/?token={studio.token}")
    assert headers["location"].startswith("/evil.example")


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "", "0.0.0.0:1"]
)
def test_a_rebound_name_is_refused_even_with_the_token(studio: Studio, host: str) -> None:
    """The browser believes that it speaks to evil.example, and would let its script read."""
    headers = {"Host": host, "Cookie": studio.cookie}
    status, text, _ = studio.send("GET", "/api/studio", None, headers)
    assert (status, "answers only to 127.0.0.1" in text) == (421, True)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost"]
)
def test_another_origin_is_refused_even_with_the_cookie(studio: Studio, origin: str) -> None:
    """A page on another port is of the same site: its requests carry the cookie."""
    headers = {"Origin": origin, "Cookie": studio.cookie}
    for method, path in (("POST", "/api/walks"), ("GET", "/api/studio"), ("OPTIONS", "/api/walks")):
        status, text, sent = studio.send(method, path, {"graph": "x"}, headers)
        assert (status, "Another page has sent this" in text) == (403, True)
        assert not [name for name in sent if name.lower().startswith("access-control")]


def test_a_script_tag_of_another_site_gets_nothing(studio: Studio) -> None:
    """It sends no origin, but browsers say where it stands; a person's click is something else."""
    headers = {"Cookie": studio.cookie, "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}
    assert studio.send("GET", "/api/studio", None, headers)[0] == 403
    clicked = {**headers, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert studio.send("GET", "/", None, clicked)[0] == 200
    assert studio.send("POST", "/api/walks", {}, clicked)[0] == 403


def test_a_form_of_another_page_cannot_start_a_run(studio: Studio) -> None:
    """A form sends text/plain or urlencoded, and no JSON."""
    headers = {"Cookie": studio.cookie, "Content-Type": "text/plain"}
    status, text, _ = studio.send("POST", "/api/walks", b'{"graph": "x"}', headers)
    assert (status, "takes JSON" in text) == (415, True)


def test_no_path_leads_out_of_the_page_s_files(studio: Studio) -> None:
    """Files are looked up by name among those that the page has."""
    for name in ("..%2fapp.py", "%2e%2e/app.py", "widget.py", "__init__.py", "index.html"):
        assert studio.send("GET", f"/page/{name}", None, {"Cookie": studio.cookie})[0] == 404
    assert studio.send("GET", "/page/widget.js", None, {"Cookie": studio.cookie})[0] == 200


def test_a_graph_that_raises_at_import_is_a_sentence(studio: Studio) -> None:
    """The page is alive and names the line; a run of that graph is refused."""
    graphs = studio.ask("GET", "/api/studio")["graphs"]
    raises, exits, skips = (graph["problem"] for graph in graphs)
    assert "cannot be imported: line 2: RuntimeError: the tower is down" in raises
    assert "SystemExit: no" in exits
    assert "Skipped: not today" in skips
    assert "sk-planted-4711" not in raises
    body = {"graph": "raises_at_import.py:app", "input": {}}
    status, text, _ = studio.send("POST", "/api/walks", body, {"Cookie": studio.cookie})
    assert (status, "the tower is down" in text) == (400, True)


def test_every_answer_forbids_frames_and_foreign_scripts(studio: Studio) -> None:
    """And is kept by no cache."""
    for path in PATHS:
        _, _, headers = studio.send("GET", path, None, {"Cookie": studio.cookie})
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert (headers["x-content-type-options"], headers["cache-control"]) == (
            "nosniff",
            "no-store",
        )
