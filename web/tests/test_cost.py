"""What the page costs: nothing while nobody looks, and the same for ten as for one."""

from __future__ import annotations

import http.client
import time

import pytest
from agent import PATIENCE, until
from conftest import OpenPage
from host import Host
from watch import REFUSED

SAME = "who watches is counted the same whatever the agent runs on"
PAGES = 10
EVENTS = 3
# Who comes when so many watch is turned away.
MOST = 16


def live(host: Host) -> dict[str, int]:
    return host.agent.json("/ui/state")["live"]


def until_nobody_watches(host: Host) -> None:
    until("the last watcher to be gone", lambda: live(host)["watching"] == 0, host.agent.state)


def two_cycles(host: Host) -> None:
    until("a cycle", host.agent.cycles, host.agent.state)
    start = host.agent.cycles()
    until("two cycles", lambda: host.agent.cycles() >= start + 2, host.agent.state)


def stream(host: Host) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", host.agent.port, timeout=PATIENCE)
    connection.request("GET", "/ui/live")
    return connection, connection.getresponse()


def events(host: Host, count: int) -> None:
    """Watches until so many events of the stream have come."""
    connection, answer = stream(host)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    seen = 0
    while seen < count:
        seen += answer.readline().startswith(b"data:")
    connection.close()


def test_the_host_is_read_for_the_page_only_while_somebody_looks(host: Host, new_page: OpenPage) -> None:
    until_nobody_watches(host)
    begin = live(host)["readings"]
    two_cycles(host)
    assert live(host)["readings"] == begin, "read for nobody"
    page = new_page(host.agent).open()
    page.until("readings", lambda: live(host)["readings"] >= begin + 2)
    assert live(host)["watching"] == 1
    page.page.close()
    until_nobody_watches(host)
    # One may have been under way.
    two_cycles(host)
    rest = live(host)["readings"]
    two_cycles(host)
    assert live(host)["readings"] == rest, "read for nobody"


@pytest.mark.linux(SAME)
def test_a_tab_that_is_hidden_asks_for_nothing_and_goes_on_when_it_is_seen_again(
    host: Host, new_page: OpenPage
) -> None:
    until_nobody_watches(host)
    page = new_page(host.agent).open()
    page.moves()
    turn = """hidden => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.page.evaluate(turn, True)
    until_nobody_watches(host)
    asked, seen = len(page.requests), page.last_at("cpu")
    # Longer than between two of its questions.
    page.page.wait_for_timeout(6000)
    assert page.requests[asked:] == []
    assert page.last_at("cpu") == seen
    page.page.evaluate(turn, False)
    page.until("its stream", lambda: live(host)["watching"] == 1)
    page.moves()
    assert any("/ui/history" in url for url in page.requests[asked:]), "what came meanwhile is not asked for"
    page.page.close()


@pytest.mark.linux(SAME)
def test_ten_pages_share_one_reading(host: Host, new_page: OpenPage) -> None:
    until_nobody_watches(host)
    pages = [new_page(host.agent, viewport={"width": 400, "height": 300}).open() for _ in range(PAGES)]
    until("all of them", lambda: live(host)["watching"] == PAGES, host.agent.state)
    before, since = live(host)["readings"], time.monotonic()
    events(host, EVENTS)
    readings, passed = live(host)["readings"] - before, time.monotonic() - since
    # One a second and one more at an edge, however long it took; each for itself it would be ten a second.
    assert EVENTS - 1 <= readings <= passed + 2, (readings, passed)
    for page in pages:
        page.page.close()
    until_nobody_watches(host)


@pytest.mark.linux(SAME)
def test_a_page_that_finds_no_place_at_the_stream_shows_charts_that_move_all_the_same(
    host: Host, new_page: OpenPage
) -> None:
    until_nobody_watches(host)
    watchers = [stream(host) for _ in range(MOST)]
    assert [answer.status for _, answer in watchers] == [200] * MOST
    connection, refused = stream(host)
    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) > 0
    connection.close()
    page = new_page(host.agent)
    page.expected.append(REFUSED + "503")
    page.open()
    page.moves()
    for connection, _ in watchers:
        connection.close()
