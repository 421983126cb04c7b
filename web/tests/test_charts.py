"""The charts, and what they are drawn from: the live stream and the ring of history."""

from __future__ import annotations

import re

from agent import IS_WINDOWS
from conftest import OpenPage
from host import Host
from playwright.sync_api import expect
from watch import Watched

# Wine tells nothing of disks.
CHARTS = ["cpu", "mem", "net", "load"] + ([] if IS_WINDOWS else ["disk"])


def test_every_chart_moves_without_a_reload(page: Watched) -> None:
    page.page.evaluate("window.same = true")
    drawn = {chart: page.points(chart) for chart in CHARTS}
    seen = page.newest(CHARTS)
    for chart in CHARTS:
        expect(page.chart(chart).locator("canvas").first).to_be_visible()
        page.has_points(chart, drawn[chart] + 2)
    page.until("another value", lambda: page.newest(CHARTS) != seen)
    assert page.page.evaluate("window.same"), "it was loaded anew"


def test_every_chart_is_drawn_and_says_its_newest_value(page: Watched) -> None:
    drawn = """section => {
        const canvas = section.querySelector("canvas");
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return new Set(new Uint32Array(pixels.buffer)).size;
    }"""
    for chart in CHARTS:
        page.has_points(chart, 2)
        last = page.chart(chart).get_attribute("data-last") or ""
        assert any(digit.isdigit() for digit in last), (chart, last)
        page.until(f"something in the canvas of {chart}", lambda chart=chart: page.chart(chart).evaluate(drawn) > 2)


def test_history_is_there_after_a_reload_and_needs_no_live_stream(page: Watched) -> None:
    page.has_points("mem", 5)
    before = page.points("mem")
    # One that never says anything: all that is drawn is what the agent has kept.
    silent = {"status": 200, "content_type": "text/event-stream", "body": ""}
    page.page.route("**/ui/live", lambda route: route.fulfill(**silent))
    page.page.reload()
    page.ready()
    page.has_points("mem", before)


def test_the_span_of_the_history_is_shown(host: Host, page: Watched) -> None:
    expect(page.page.locator("#span")).to_contain_text(re.compile(r"[0-9]"))
    history = host.agent.json("/ui/state")["history"]
    assert 0 < history["bytes"] <= history["max_bytes"]
    assert history["points"] > 0


def test_of_three_pages_at_once_each_moves(host: Host, new_page: OpenPage) -> None:
    pages = [new_page(host.agent).open() for _ in range(3)]
    for each in pages:
        each.moves()
