"""Requests that nobody should send, as data: (name, bytes, statuses that may be answered).

Belongs here: what is sent. What must hold of every answer is in ``test_hostile_requests.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from mlops_assets_tests.serving.factories import make_parcel
from mlops_assets_tests.serving.raw_http import JSON_TYPE, chunked, head, post

Hostile = tuple[str, bytes, set[int]]

GOOD = {"rows": [make_parcel()]}
GOOD_TEXT = json.dumps(GOOD).encode()
MEGABYTE = 1_048_576
PREDICT = "/predict"


def _row(**values: Any) -> dict[str, Any]:
    return {"rows": [make_parcel(**values)]}


def _bodies() -> Iterable[Hostile]:
    """What is no JSON, or no request."""
    bodies: dict[str, bytes] = {
        "nothing": b"",
        "a brace": b"{",
        "cut in the rows": b'{"rows":[',
        "cut in a row": GOOD_TEXT[:-9],
        "a list": b"[]",
        "null": b"null",
        "true": b"true",
        "a number": b"3",
        "a text": b'"rows"',
        "no UTF-8": b"\xff\xfe",
        "UTF-16": GOOD_TEXT.decode().encode("utf-16"),
        "a byte order mark": b"\xef\xbb\xbf" + GOOD_TEXT,
        "bad UTF-8 in a text": GOOD_TEXT.replace(b"EWR", b"E\xffR"),
        "cut UTF-8 at its end": b'{"rows":[{"depot":"\xe2\x82',
        "single quotes": GOOD_TEXT.replace(b'"', b"'"),
        "a comma at the end": GOOD_TEXT[:-1] + b",}",
        "a comment": GOOD_TEXT + b"// that is all",
        "two documents": GOOD_TEXT + GOOD_TEXT,
        "garbage behind": GOOD_TEXT + b"\x00",
        "a bad escape": GOOD_TEXT.replace(b"EWR", b"\\x41"),
        "half of a pair": GOOD_TEXT.replace(b'"EWR"', b'"\\ud800"'),
        "a tab in a text": GOOD_TEXT.replace(b"EWR", b"E\tR"),
        "a number with a plus": GOOD_TEXT.replace(b"2.5", b"+2.5"),
        "a number with a leading zero": GOOD_TEXT.replace(b"2.5", b"02.5"),
        "a number without an end": GOOD_TEXT.replace(b"2.5", b"2."),
        "a number with a grouping": GOOD_TEXT.replace(b"2.5", b"1_0"),
        "hexadecimal": GOOD_TEXT.replace(b"2.5", b"0x10"),
        "XML": b"<?xml version='1.0'?><!DOCTYPE r [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><r>&e;</r>",
        "YAML": b"rows:\n- !!python/object/apply:os.system ['id']\n",
        "a pickle": b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
        "rows twice": b'{"rows":[],"rows":3}',
    }
    yield from ((f"body: {name}", post(body), {400}) for name, body in bodies.items())
    shapes: dict[str, object] = {
        "no rows": {},
        "rows null": {"rows": None},
        "rows an object": {"rows": {"0": make_parcel()}},
        "rows a text": {"rows": "EWR"},
        "rows a number": {"rows": 1e308},
        "rows empty": {"rows": []},
        "a row null": {"rows": [None]},
        "a row a list": {"rows": [[]]},
        "a row a text": {"rows": [""]},
        "a row empty": {"rows": [{}]},
        "rows in rows": {"rows": [[make_parcel()]]},
        "something else beside": {**GOOD, "__proto__": {}},
        "an id of a number": {**GOOD, "id": 7},
        "an id of 201 characters": {**GOOD, "id": "x" * 201},
        "an id of a list": {**GOOD, "id": []},
        "the row without rows": make_parcel(),
        "the old Open Inference form": {
            "inputs": [{"name": "depot", "shape": [1], "datatype": "BYTES", "data": ["EWR"]}]
        },
    }
    yield from ((f"shape: {name}", post(body), {400}) for name, body in shapes.items())


def _too_much() -> Iterable[Hostile]:
    """Requests that are too long, too many or too deep."""
    nulls = b'{"rows":[' + b",".join([b"null"] * 200_000) + b"]}"
    yield "size: 200,000 nulls", post(nulls), {413}
    yield "size: 200,000 nulls in chunks", chunked(nulls), {413}
    yield "size: 1,001 rows", post({"rows": [make_parcel()] * 1001}), {413}
    yield "size: 100,000 empty rows", post(b'{"rows":[' + b",".join([b"{}"] * 100_000) + b"]}"), {413}
    yield "size: spaces, by their length", post(b" " * (MEGABYTE + 1)), {413}
    yield "size: spaces, in chunks", chunked(b" " * (MEGABYTE + 1)), {413}
    yield (
        "size: said to be a terabyte",
        head("POST /predict", (JSON_TYPE, ("Content-Length", str(2**40)))) + b"{}",
        {413},
    )
    yield "size: 2 MB of outcomes", post(b" " * 2 * MEGABYTE, path="/outcomes"), {413}
    yield "size: 2 MB to explain", post(b" " * 2 * MEGABYTE, path="/explain"), {413}
    yield "size: 101 rows to explain", post({"rows": [make_parcel()] * 101}, path="/explain"), {413}
    yield "size: 1,001 outcomes", post({"outcomes": [{"example_id": "x", "label": 1}] * 1001}, path="/outcomes"), {413}
    yield "size: a text of a megabyte", post(_row(sender="x" * 1_000_000)), {200, 400, 413}
    yield "size: a name of a megabyte", post({"rows": [{"x" * 1_000_000: 1}]}), {400}
    yield "size: 1,000 rows, each wrong", post({"rows": [{"depot": 0}] * 1000}), {400}
    yield "size: 50,000 unknown fields", post({"rows": [{f"f{number}": 0 for number in range(50_000)}]}), {400}
    yield "size: 10,000 digits", post(GOOD_TEXT.replace(b"2.5", b"9" * 10_000)), {400}
    yield "size: a million digits", post(GOOD_TEXT.replace(b"2.5", b"9" * 1_000_000)), {400}
    yield "size: 10,000 decimals", post(GOOD_TEXT.replace(b"2.5", b"2." + b"5" * 10_000)), {200, 400}
    for levels in (300, 100_000):
        deep = b"[" * levels + b"]" * levels
        yield f"depth: {levels} lists", post(deep), {413}
        yield f"depth: {levels} lists in a row", post(b'{"rows":[%b]}' % deep), {413}
        yield f"depth: {levels} objects", post(b'{"a":' * levels + b"1" + b"}" * levels), {413}
        yield f"depth: {levels} lists of outcomes", post(deep, path="/outcomes"), {413}
    yield "depth: 500,000 open lists", post(b"[" * 500_000), {400, 413}


def _values() -> Iterable[Hostile]:
    """Values that a field cannot have."""
    values: dict[str, list[object]] = {
        "weight": [True, "2.5", "3_9", None, [], {}, "", -1, 0, 30.001, 1e308, 2**63, 2**64, -(2**63) - 1, 10**400],
        "depot": [
            True,
            1,
            None,
            [],
            "ewr",
            "EWRX",
            "EWR\n",
            "\u0000",
            "É12",
            "'; DROP TABLE ids; --",
            "🛫🛫🛫",
            "EWR\u0000",
        ],
        "sent_at": [
            "0001-01-01T00:00:00",
            "9999-12-31T23:59:59",
            "10000-01-01T00:00:00",
            "0000-01-01T00:00:00",
            "-001-01-01T00:00:00",
            "2013-07-01",
            "2013-02-30T00:00:00",
            "2013-07-01T25:00:00",
            "2013-07-01T08:30:61",
            "2013-07-01T08:30:00Z",
            "2013-07-01T08:30:00+02:00",
            "1372667400 ",
            1372667400,
            1372667400.5,
            1e300,
            True,
            None,
            [],
            "now",
            "",
            "２０１３-07-01T08:30:00",
        ],
        "sender": [1, True, [], {}],
    }
    for field, faulty in values.items():
        yield from ((f"{field}: {str(value)[:30]!r}", post(_row(**{field: value})), {400}) for value in faulty)
    yield from (
        (f"weight: {text.decode()}", post(GOOD_TEXT.replace(b"2.5", text)), {400})
        for text in (b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e400")
    )
    allowed = {200}
    yield "weight: the smallest there is", post(GOOD_TEXT.replace(b"2.5", b"5e-324")), allowed
    yield "sender: a NUL", post(_row(sender="\u0000")), {400}
    for text in ("", "x'); DROP TABLE ids; --", "${jndi:ldap://x/a}", "{{7*7}}", "\u202e", "a\nb\r\nc", "🛫" * 99):
        yield f"sender: {text[:20]!r}", post(_row(sender=text)), allowed


def _lines() -> Iterable[Hostile]:
    """Methods, paths and queries."""
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        yield f"method: {method}", head(f"{method} /predict"), {405}
    yield "method: HEAD", head("HEAD /predict"), {405}
    yield "method: HEAD of the model", head("HEAD /model"), {200}
    yield "method: POST to the model", post({}, path="/model"), {405}
    yield "method: POST to the documents", post({}, path="/docs.json"), {405}
    yield "method: POST to the metrics", post({}, path="/metrics"), {405}
    yield "method: one that is none", b"STEAL /predict HTTP/1.1\r\nHost: here\r\n\r\n", {400, 405}
    yield "method: CONNECT", b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n", {400, 404, 405}
    paths = (
        "/nowhere",
        "//predict",
        "/predict/",
        "/predict%00",
        "/PREDICT",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%5c..%5cwindows",
        "/.env",
        "/static_content/../../../etc/passwd",
        "/%ff%fe",
        "/" + "x" * 30_000,
        "/*",
    )
    yield from ((f"path: {path[:40]}", head(f"GET {path}"), {404}) for path in paths)
    yield "path: a line break", head("GET /a%0d%0aX-Injected:%20yes"), {404}
    yield "path: an asterisk", b"OPTIONS * HTTP/1.1\r\nHost: here\r\n\r\n", {400, 404, 405}
    yield (
        "path: of another host",
        b"GET http://169.254.169.254/latest/meta-data HTTP/1.1\r\nHost: x\r\n\r\n",
        {400, 404},
    )
    yield "query: of 30,000 characters", post(GOOD, path="/predict?" + "x" * 30_000), {200, 400}
    yield "query: a wrong escape", post(GOOD, path="/predict?a=%zz&%"), {200}


def _headers() -> Iterable[Hostile]:
    """Headers, and what they say of the body."""
    kinds = (
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "text/plain",
        "text/json",
        "application/json5",
        "application/vnd.bentoml+pickle",
        "application/octet-stream",
        "*/*",
        "x" * 5_000,
    )
    yield from ((f"type: {kind[:40]}", post(GOOD, headers=[("Content-Type", kind)]), {415}) for kind in kinds)
    for kind in ("application/json; charset=utf-8", "APPLICATION/JSON", "application/json;charset=ebcdic"):
        yield f"type: {kind}", post(GOOD, headers=[("Content-Type", kind)]), {200}
    yield "type: none", post(GOOD, headers=[]), {200}
    yield (
        "type: multipart to outcomes",
        post(b"", path="/outcomes", headers=[("Content-Type", "multipart/form-data")]),
        {415},
    )
    yield "encoding: said to be gzip", post(b"\x1f\x8b\x08", headers=[JSON_TYPE, ("Content-Encoding", "gzip")]), {415}
    yield "encoding: said to be brotli", post(GOOD, headers=[JSON_TYPE, ("Content-Encoding", "br")]), {415}
    extra: dict[str, list[tuple[str, str]]] = {
        "an upgrade": [("Connection", "Upgrade"), ("Upgrade", "websocket")],
        "a whole websocket": [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ],
        "HTTP/2": [
            ("Connection", "Upgrade, HTTP2-Settings"),
            ("Upgrade", "h2c"),
            ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"),
        ],
        "a continue": [("Expect", "100-continue")],
        "an unknown expectation": [("Expect", "the-unexpected")],
        "a range": [("Range", "bytes=0-0")],
        "another host": [("X-Forwarded-Host", "evil.example"), ("Forwarded", "for=127.0.0.1")],
        "an origin": [("Origin", "https://evil.example")],
        "a broken key": [("Authorization", "Bearer \xff\xfe")],
        "another scheme": [("Authorization", "Basic Og==")],
        "a cookie": [("Cookie", "x" * 4_000)],
        "an id to log": [("X-Request-ID", "a" * 5_000)],
        "an id with a quote": [("X-Request-ID", '","event":"forged')],
        "nothing to accept": [("Accept", "image/png")],
        "a trace": [("traceparent", "00-zz-zz-zz"), ("tracestate", "=,=,=")],
        "another method": [("X-HTTP-Method-Override", "DELETE")],
        "500 headers": [(f"X-{number}", "y") for number in range(500)],
    }
    yield from ((f"header: {name}", post(GOOD, headers=[JSON_TYPE, *more]), {200}) for name, more in extra.items())
    yield "header: an empty Idempotency-Key", post(GOOD, headers=[JSON_TYPE, ("Idempotency-Key", "")]), {200}
    for key in ("k" * 201, "\xff\xfe", "a b\tc"):
        yield f"header: Idempotency-Key {key[:5]!r}", post(GOOD, headers=[JSON_TYPE, ("Idempotency-Key", key)]), {400}


def _broken_http() -> Iterable[Hostile]:
    """What is hardly HTTP."""
    start = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    length = start + b"Content-Length: %d\r\n" % len(GOOD_TEXT)
    broken = {
        "no request": b"\r\n\r\nhello\r\n\r\n",
        "binary": bytes(range(256)),
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 99,
        "HTTP/2's first line": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "HTTP/9.9": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        "a negative length": start + b"Content-Length: -1\r\n\r\n",
        "a length that is none": start + b"Content-Length: ten\r\n\r\n",
        "a length over 64 bits": start + b"Content-Length: 99999999999999999999999\r\n\r\n",
        "two lengths": length + b"Content-Length: 1\r\n\r\n" + GOOD_TEXT,
        "a length and chunks": length + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n",
        "a bad chunk": chunked(b"", end=b"xyz\r\n"),
        "a huge chunk": chunked(b"", end=b"fffffffffffffffff\r\n"),
        "two codings": start + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "a header without a colon": start + b"nonsense\r\n\r\n",
        "a space in a name": start + b"a b: c\r\n\r\n",
        "a NUL in a header": start + b"x: \x00\r\n\r\n",
        "a folded header": start + b"x: a\r\n b\r\n\r\n",
        "a space in the path": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    }
    yield from ((f"http: {name}", request, {400}) for name, request in broken.items())
    yield "http: 0.9", b"GET /livez\r\n\r\n", {200, 400}
    yield "http: 1.0", b"GET /livez HTTP/1.0\r\n\r\n", {200}
    yield "http: no host", b"GET /model HTTP/1.1\r\n\r\n", {200, 400}
    yield "http: two hosts", b"GET /model HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", {200, 400}
    yield "http: a host that is none", b"GET / HTTP/1.1\r\nHost: <script>\"'\r\n\r\n", {200, 400}
    yield "http: a header of a megabyte", start + b"x: " + b"y" * MEGABYTE + b"\r\n\r\n", {400, 413, 431}


def _other_routes() -> Iterable[Hostile]:
    """What else a service answers."""
    outcome = {"prediction_id": "00000000-0000-0000-0000-000000000000", "label": 1}
    faulty: dict[str, object] = {
        "no outcomes": {},
        "none": {"outcomes": []},
        "null": {"outcomes": [None]},
        "no label": {"outcomes": [{"prediction_id": "x"}]},
        "a label of two": {"outcomes": [{**outcome, "label": 2}]},
        "a label in quotes": {"outcomes": [{**outcome, "label": "1"}]},
        "a label of a list": {"outcomes": [{**outcome, "label": []}]},
        "a label of null": {"outcomes": [{**outcome, "label": None}]},
        "no name": {"outcomes": [{"label": 1}]},
        "two names": {"outcomes": [{**outcome, "example_id": "EWR-201307010830"}]},
        "a long name": {"outcomes": [{"prediction_id": "x" * 201, "label": 1}]},
        "no zone": {"outcomes": [{**outcome, "known_at": "2013-07-01T08:30:00"}]},
        "the year 9999": {"outcomes": [{**outcome, "known_at": "9999-12-31T23:59:59-23:59"}]},
        "the year 1": {"outcomes": [{**outcome, "known_at": "0001-01-01T00:00:00+23:59"}]},
        "a number for a moment": {"outcomes": [{**outcome, "known_at": 1372667400}]},
        "something else": {"outcomes": [outcome], "sql": "DROP"},
        "an empty name": {"outcomes": [{"prediction_id": "", "label": 1}]},
    }
    yield from ((f"outcomes: {name}", post(body, path="/outcomes"), {400}) for name, body in faulty.items())
    yield (
        "outcomes: a label of 1e400",
        post(b'{"outcomes":[{"example_id":"x","label":1e400}]}', path="/outcomes"),
        {400},
    )
    for name, status in (("'; DROP TABLE ids; --", 200), ("a\u0000b", 400)):
        yield f"outcomes: {name!r}", post({"outcomes": [{"example_id": name, "label": 1}]}, path="/outcomes"), {status}
    yield "explain: a bad row", post(_row(depot=1), path="/explain"), {400}
    yield "explain: nothing", post(b"", path="/explain"), {400}
    yield "explain: GET", head("GET /explain"), {405}
    yield "describe: a body of a megabyte", post(b"x" * MEGABYTE, path="/describe"), {200}
    yield "docs: a body", head("GET /docs.json", [("Content-Length", "3")]) + b"{{{", {200}


HOSTILE: list[Hostile] = [
    *_bodies(),
    *_too_much(),
    *_values(),
    *_lines(),
    *_headers(),
    *_broken_http(),
    *_other_routes(),
]
