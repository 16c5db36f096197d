"""What the page's server gives, to whom, and what it does without a daemon."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
from collections.abc import Iterator

import pytest

from refclock.observe.metrics import metrics
from refclock.observe.status import AlarmStatus, LagStatus, Status, to_json
from refclock.page.feed import Feed
from refclock.page.server import PageServer

STATUS = Status(
    mode="TRACK",
    reason="the pulse is followed",
    stratum=1,
    refid="PPS",
    leap="none",
    utc="2026-01-01T00:00:00Z",
    offset_s=1e-6,
    frequency_ppm=-2.0,
    steering_ppm=None,
    bound_s=4e-6,
    bound_parts={"filter": 1e-6},
    lag={"RMC": LagStatus(0.1, 0.001, 9)},
    alarms=(AlarmStatus('li"ne', "crowded", 3.0),),
)
ANSWER = to_json(STATUS, {"served": 7})


@pytest.fixture
def feed() -> Feed:
    made = Feed(lambda: ANSWER)
    made.ask_once()
    return made


@pytest.fixture
def server(feed: Feed) -> Iterator[PageServer]:
    made = PageServer(("127.0.0.1", 0), feed)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.stopping.set()
    made.shutdown()
    thread.join()
    made.server_close()


def get(
    server: PageServer, path: str, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    made = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=5)
    try:
        made.request("GET", path, headers=headers)
        answer = made.getresponse()
        return answer, answer.read()
    finally:
        made.close()


@pytest.mark.parametrize("path", ["/", "/style.css", "/page.js"])
def test_files_come_packed_or_plain_and_without_inline_code(
    server: PageServer, path: str
) -> None:
    answer, plain = get(server, path)
    assert (answer.status, answer.getheader("Content-Encoding")) == (200, None)
    policy = answer.getheader("Content-Security-Policy") or ""
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert b" style=" not in plain
    _, packed = get(server, path, **{"Accept-Encoding": "gzip"})
    assert gzip.decompress(packed) == plain


def test_all_files_together_stay_within_their_room(server: PageServer) -> None:
    assert sum(len(body) for _, body in server.files.values()) < 45_000


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8123", ""])
def test_under_another_name_it_says_nothing(server: PageServer, host: str) -> None:
    for path in ("/", "/api/v1/status", "/metrics", "/events"):
        answer, body = get(server, path, Host=host)
        assert (answer.status, body) == (421, b"unknown host\n")


def test_the_json_is_versioned_and_lists_no_hosts(server: PageServer) -> None:
    _, body = get(server, "/api/v1/status")
    answer = json.loads(body)
    assert answer["version"] == 1
    assert answer["status"]["mode"] == "TRACK"
    assert not answer["status"].keys() & {"clients", "denied"}


def test_nothing_else_is_there_and_nothing_can_be_sent(server: PageServer) -> None:
    assert get(server, "/../server.py")[0].status == 404
    made = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=5)
    made.request("POST", "/api/v1/status", body=b"")
    assert made.getresponse().status == 501
    made.close()


def test_each_second_is_one_event_for_all(server: PageServer, feed: Feed) -> None:
    made = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=5)
    made.request("GET", "/events")
    answer = made.getresponse()
    first = answer.readline()
    assert answer.readline() == b"\n"
    feed.ask_once()
    assert answer.readline() == first == f"data: {feed.last().text}\n".encode()
    answer.close()
    made.close()
    feed.ask_once()


def test_a_silent_daemon_is_said_to_be_silent() -> None:
    def silent() -> str:
        raise FileNotFoundError(2, "no such socket")

    feed = Feed(silent)
    feed.ask_once()
    assert "no such socket" in json.loads(feed.last().text)["error"]
    assert feed.after(1, 0.0) is None
    assert "refclock_up 0" in metrics(feed.last().status, "1")


def test_metrics_are_in_base_units_with_quoted_labels(feed: Feed) -> None:
    lines = metrics(feed.last().status, "1.2").splitlines()
    assert 'refclock_build_info{version="1.2"} 1' in lines
    assert "refclock_oscillator_frequency_ratio -2e-06" in lines
    assert "refclock_bound_seconds 4e-06" in lines
    assert 'refclock_mode{mode="track"} 1' in lines
    assert 'refclock_mode{mode="cold"} 0' in lines
    assert 'refclock_alarm{kind="li\\"ne",source="gps0"} 1' in lines
    assert 'refclock_ntp_packets_total{kind="served"} 7' in lines
    assert "# TYPE refclock_ntp_clients gauge" in lines
    assert not any('kind="clients"' in line for line in lines)
    assert not any(line.startswith("refclock_steering") for line in lines)
