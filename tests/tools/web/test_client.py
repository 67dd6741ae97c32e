"""API plugins call a real server: values, credentials, and every kind of bad answer."""

import base64
import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from langchain_core.tools import ToolException

from tests.tools.web.conftest import SECRET, Service
from turngraph.tools.manifests.loading import Manifests
from turngraph.tools.manifests.problems import ManifestError
from turngraph.tools.output import ToolOutput
from turngraph.tools.toolbox import Toolbox


def ask(found: Manifests, **arguments: Any) -> ToolOutput:
    return Toolbox.of([found["shop"].tool]).run("shop", arguments, call_id="c", timeout_s=30)


def call(found: Manifests, **arguments: Any) -> Any:
    output = ask(found, **arguments)
    assert output.status == "ok", output.content
    return json.loads(output.content)


def test_values_go_into_path_query_and_headers(service: Service) -> None:
    """Each value is encoded for its place."""
    found = service.load(
        "endpoint: /items/{n}/reviews?sort=up&find={q}\n"
        "urlParams: [{key: tag, value: '{tags}'}, {key: fixed, value: 1}, "
        "{key: both, value: 'a-{q}-{flag}'}]\n"
        "headers: [{name: X-Number, value: 'no. {n}'}, {name: X-Fixed, value: yes}]"
    )
    assert call(found, q="ä & ö/ü?=%#", n=7, tags=["a b", "c"], flag=True)
    asked = service.asked[-1]
    assert asked["target"] == (
        "/api/items/7/reviews?sort=up&find=%C3%A4%20%26%20%C3%B6%2F%C3%BC%3F%3D%25%23&tag=a%20b&tag=c&fixed=1"
        "&both=a-%C3%A4%20%26%20%C3%B6%2F%C3%BC%3F%3D%25%23-true"
    )
    assert (asked["headers"]["X-Number"], asked["headers"]["X-Fixed"]) == ("no. 7", "yes")


def test_null_leaves_a_parameter_out(service: Service) -> None:
    """It is neither empty nor the word `null`."""
    found = service.load(
        "endpoint: /items/{n}\nurlParams: [{key: tag, value: '{q}'}]\n"
        "headers: [{name: X-Q, value: '{q}'}]"
    )
    assert call(found, n=7) == {"asked": "/api/items/7"}
    assert "X-Q" not in service.asked[-1]["headers"]


def test_parameters_without_a_placeholder_go_into_query_or_body(service: Service) -> None:
    """A manifest without placeholders still sends the model's values."""
    assert (
        call(service.load("endpoint: /search"), q="x y", n=2)["asked"] == "/api/search?q=x%20y&n=2"
    )
    call(service.load("endpoint: /orders\nmethod: post"), q="x", tags=["a"])
    assert json.loads(service.asked[-1]["body"]) == {"q": "x", "tags": ["a"]}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_is_sent(service: Service, method: str) -> None:
    """The method is the one in the manifest."""
    output = ask(service.load(f"endpoint: /x\nmethod: {method}"))
    assert output.status == "ok"
    assert service.asked[-1]["method"] == method


def test_bodies_keep_the_types_of_values(service: Service) -> None:
    """A text that is one placeholder becomes the value; in a longer text it becomes text."""
    body = '{find: "{q}", count: "{n}", on: "{flag}", note: "n={n}", deep: [{t: "{tags}"}]}'
    found = service.load(f"endpoint: /orders\nmethod: POST\nbody: {body}")
    call(found, q='"; evil', n=3, flag=False, tags=["x"])
    assert json.loads(service.asked[-1]["body"]) == {
        "find": '"; evil', "count": 3, "on": False, "note": "n=3", "deep": [{"t": ["x"]}],
    }  # fmt: skip
    assert service.asked[-1]["headers"]["Content-Type"] == "application/json"


def test_a_list_of_names_and_values_is_an_object(service: Service) -> None:
    """smarter.sh/v1 writes bodies like this."""
    call(
        service.load(
            "endpoint: /o\nmethod: POST\nbody: [{name: a, value: '{q}'}, {name: b, value: 1}]"
        ),
        q="x",
    )
    assert json.loads(service.asked[-1]["body"]) == {"a": "x", "b": 1}


@pytest.mark.parametrize(
    "base",
    ["http://u:p@h/x", "http://h\\\\@g/", "http://h/x?y=1", "ftp://h/", "h/x", "http://h/#f"],
)
def test_an_ambiguous_address_is_refused(service: Service, base: str) -> None:
    """Parsers disagree about such addresses, and a password belongs into a secret."""
    with pytest.raises(ManifestError, match="baseUrl: must match"):
        service.load("endpoint: /x", base=base)


def test_empty_fields_of_exported_manifests_count_as_not_given(service: Service) -> None:
    """An empty body list, a null value, an empty enum."""
    found = service.load(
        "endpoint: /o\nmethod: POST\nbody: []\nurlParams: [{key: a, value: null}]\nheaders: []"
    )
    assert call(found, q="x") == {"asked": "/api/o"}
    assert json.loads(service.asked[-1]["body"]) == {"q": "x"}


def test_form_bodies_are_encoded(service: Service) -> None:
    """`body_format: form` exists only in turngraph."""
    data = "endpoint: /o\nmethod: POST\nbody_format: form\nbody: {a: '{q}', b: '{tags}', c: '{n}'}"
    call(service.load(data, version="turngraph/v1"), q="x&y=ä", tags=["1", "2"])
    assert service.asked[-1]["body"] == "a=x%26y%3D%C3%A4&b=1&b=2"
    assert service.asked[-1]["headers"]["Content-Type"] == "application/x-www-form-urlencoded"


BASIC = base64.b64encode(f"bob:{SECRET}".encode()).decode()


@pytest.mark.parametrize(
    ("connection", "header", "value"),
    [
        ("authMethod: none", "Authorization", None),
        ('authMethod: token, apiKey: "env:KEY"', "Authorization", f"Bearer {SECRET}"),
        ('authMethod: bearer, apiKey: "env:KEY"', "Authorization", f"Bearer {SECRET}"),
        ('authMethod: header, apiKey: "env:KEY"', "X-API-Key", SECRET),
        ('authMethod: header, apiKeyHeader: X-Mine, apiKey: "env:KEY"', "X-Mine", SECRET),
        ('authMethod: basic, username: bob, apiKey: "env:KEY"', "Authorization", f"Basic {BASIC}"),
        ('authMethod: oauth, apiKey: "env:KEY"', "Authorization", f"Bearer {SECRET}"),
    ],
)
def test_every_auth_method_sends_its_credentials(
    service: Service, connection: str, header: str, value: str | None
) -> None:
    """The secret is looked up when it is needed."""
    call(service.load("endpoint: /x", connection=connection))
    assert service.asked[-1]["headers"].get(header) == value


def test_oauth_fetches_one_token_and_keeps_it(service: Service) -> None:
    """Client credentials (RFC 6749, section 4.4), with id and secret in the header."""
    token = f'token_url: "http://127.0.0.1:{service.port}/api/token", client_id: me, scope: read'
    found = service.load(
        "endpoint: /x", connection=f'authMethod: oauth, apiKey: "env:KEY", {token}'
    )
    call(found)
    call(found)
    first, second, third = service.asked
    assert (first["method"], first["body"]) == ("POST", "grant_type=client_credentials&scope=read")
    assert (
        first["headers"]["Authorization"]
        == f"Basic {base64.b64encode(f'me:{SECRET}'.encode()).decode()}"
    )
    assert (
        second["headers"]["Authorization"] == third["headers"]["Authorization"] == "Bearer tok123"
    )


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/missing", 'The service answered 404: {"detail": "no such thing"}'),
        ("/bad-json", "labeled as JSON, but is not JSON"),
        ("/deep-json", "labeled as JSON, but is not JSON"),
        ("/binary", "answered with image/png, which is not text"),
        ("/bomb", "longer than 2,000,000 bytes"),
        ("/endless", "longer than 2,000,000 bytes"),
        ("/not-packed", "not compressed as it says"),
        ("/brotli", "as br, which was not requested"),
        ("/to/loop", "redirects more than 5 times"),
    ],
)
def test_a_bad_answer_is_reported(service: Service, path: str, message: str) -> None:
    """With a message, within the limits of time and size."""
    output = ask(service.load(f"endpoint: {path}"))
    assert output.status == "error"
    assert message in output.content


@pytest.mark.parametrize("path", ["/slow", "/hang"])
def test_an_endless_answer_is_ended(service: Service, path: str) -> None:
    """A byte now and then does not keep a call alive."""
    output = ask(service.load(f"endpoint: {path}", timeout="0.3"))
    assert "did not answer within 0.3 seconds" in output.content


def test_good_answers_of_every_form_are_read(service: Service) -> None:
    """JSON, compressed or not, text, and an empty body."""
    assert call(service.load("endpoint: /packed")) == {"packed": True}
    assert ask(service.load("endpoint: /text")).content == "plain words"
    assert call(service.load("endpoint: /empty")) == {"status": 204}


@pytest.mark.parametrize(
    ("select", "answer"),
    [
        ("/items/3/id", 3),
        ("/items/3", {"id": 3}),
        ("items[?id > `47`].id", [48, 49]),
        ("length(items)", 50),
    ],
)
def test_only_the_selected_part_is_returned(service: Service, select: str, answer: Any) -> None:
    """What the model does not need would cost tokens."""
    assert call(service.load(f"endpoint: /list\nselect: '{select}'")) == answer


def test_a_list_is_cut_at_its_limit(service: Service) -> None:
    """The answer says so."""
    found = call(service.load("endpoint: /list\nselect: items\nlimit: 2"))
    assert found == {"items": [{"id": 0}, {"id": 1}], "truncated": "only the first 2 of 50 items"}


def test_only_harmless_requests_are_repeated(service: Service) -> None:
    """A POST may have taken effect before its answer was lost."""
    service.fail = 2
    assert call(service.load("endpoint: /x"))
    assert len(service.asked) == 3
    service.asked.clear()
    service.fail = 1
    assert "answered 503" in ask(service.load("endpoint: /x\nmethod: POST")).content
    assert len(service.asked) == 1
    service.asked.clear()
    service.fail = 9
    assert "answered 503" in ask(service.load("endpoint: /x")).content
    assert len(service.asked) == 3


def test_a_key_that_the_service_echoes_is_masked(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """The log does not show it either."""
    found = service.load("endpoint: /echo-key", connection='authMethod: header, apiKey: "env:KEY"')
    with caplog.at_level(logging.DEBUG):
        output = ask(found)
    assert output.content == "Error: The service answered 401: bad key ***"
    assert SECRET not in caplog.text
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("endpoint: http://evil.example/x", "endpoint must be a path"),
        ("endpoint: //evil.example/x", "endpoint must be a path"),
        ("endpoint: /a/../b", "has `.` or `..` as a segment"),
        ("endpoint: /a#b", "fragment"),
        ("endpoint: '/a\\b'", "must be a path"),
        ("endpoint: /{nope}", "{nope} is not a parameter"),
        ("endpoint: /x\nheaders: [{name: Host, value: x}]", "the header Host is set by turngraph"),
        (
            "endpoint: /x\nheaders: [{name: authorization, value: x}]",
            "authorization is set by turngraph",
        ),
        ("endpoint: /x\nheaders: [{name: 'A B', value: x}]", "apiData.headers.0..name: must match"),
        ("endpoint: /x\nmethod: BREW", "apiData.method: input should be 'GET'"),
        ("endpoint: /x\nselect: 'a['", "neither a JSON pointer nor a JMESPath"),
        ("endpoint: /x\nbody: {a: '{nope}'}", "{nope} is not a parameter"),
    ],
)
def test_a_wrong_manifest_is_refused_when_loaded(service: Service, data: str, message: str) -> None:
    """With file and line, like every problem."""
    with pytest.raises(ManifestError, match=message.replace("{", r"\{").replace("}", r"\}")):
        service.load(data)


@pytest.mark.parametrize(
    ("connection", "message"),
    [
        ("authMethod: token", "needs api_key"),
        ("proxyHost: p", "proxy_host is not supported"),
        ("authMethod: kerberos", "authMethod: input should be"),
    ],
)
def test_unsupported_connections_are_refused(
    service: Service, connection: str, message: str
) -> None:
    """The message names the field."""
    with pytest.raises(ManifestError, match=message):
        service.load("endpoint: /x", connection=connection)


HOSTILE = [
    "..", ".", "../profile", "..%2f", "%2e%2e", "a/b", "a\\b", "a?b=c", "a#b", "//evil.example",
    "@evil.example", "a\r\nX-Evil: 1", "a\nb", "a\x00b", "\ud800", "https://evil.example", ":80",
    "a b", "é", "\u2028", "%0d%0a", ";", "a;b=c", "&x=y", "{n}", "{{q}}", "${q}", "x" * 20_000, "",
    " ", "\t", "\x7f",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("place", ["path", "query", "header", "body"])
def test_no_payload_leaves_its_place(service: Service, place: str, text: str) -> None:
    """It arrives unchanged or is refused; nothing else of the request changes."""
    data = {
        "path": "endpoint: /items/{q}/end",
        "query": "endpoint: /items\nurlParams: [{key: k, value: '{q}'}]",
        "header": "endpoint: /items\nheaders: [{name: X-Q, value: '{q}'}]",
        "body": "endpoint: /items\nmethod: POST\nbody: {k: '{q}'}",
    }
    output = ask(service.load(data[place]), q=text)
    if output.status == "error":
        assert service.asked == []
        assert not output.content.startswith("Error: Unicode")
        return
    [asked] = service.asked
    assert "X-Evil" not in asked["headers"]
    arrived(asked, place, text)


def arrived(asked: dict[str, Any], place: str, text: str) -> None:
    from urllib.parse import parse_qs, unquote, urlsplit

    url = urlsplit(asked["target"])
    if place == "path":
        assert (url.path.split("/")[:3], url.path.split("/")[4:]) == (["", "api", "items"], ["end"])
        assert unquote(url.path.split("/")[3]) == text
    elif place == "query":
        assert parse_qs(url.query, keep_blank_values=True, strict_parsing=True) == {"k": [text]}
    elif place == "header":
        assert asked["headers"].get("X-Q", "") == text.strip()
    else:
        assert json.loads(asked["body"]) == {"k": text}


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(max_size=40))
def test_no_generated_text_leaves_the_path(service: Service, text: str) -> None:
    """Hypothesis generates texts that nobody thought of."""
    from turngraph.tools.manifests.plugin_parts import ApiData
    from turngraph.tools.web.template import render_request

    data = ApiData.model_validate(
        {"description": "d", "endpoint": "/i/{q}/e", "parameters": [{"name": "q"}]}
    )
    try:
        url = render_request(data, "http://shop.example/api", {"q": text}).url
    except ToolException:
        return
    assert url.startswith("http://shop.example/api/i/")
    assert url.endswith("/e")
    assert url.count("/") == 6


@pytest.mark.parametrize(
    ("fields", "may_repeat"),
    [
        ("method: GET", True),
        ("method: PUT", True),
        ("method: POST", False),
        ("method: PATCH", False),
        ("method: POST\nidempotent: true", True),
        ("method: GET\nidempotent: false", False),
    ],
)
def test_a_tool_says_whether_it_may_run_twice(
    service: Service, fields: str, may_repeat: bool
) -> None:
    """It depends on the method, unless the manifest says otherwise."""
    box = Toolbox.of([service.load(f"endpoint: /x\n{fields}")["shop"].tool])
    assert box.idempotent("shop") is may_repeat
