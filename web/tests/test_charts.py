"""The charts, and what they are drawn from: the live stream and the ring of history."""

from __future__ import annotations

import pytest
from conftest import OpenPage
from host import Host
from playwright.sync_api import expect
from watch import Watched

CHARTS = ["cpu", "mem", "net", "disk", "load"]


def points(page: Watched, chart: str) -> int:
    return int(page.chart(chart).get_attribute("data-points") or 0)


def has_points(page: Watched, chart: str, count: int) -> None:
    page.until(f"{count} points of {chart}", lambda: points(page, chart) >= count)


def test_every_chart_moves_without_a_reload(page: Watched) -> None:
    page.page.evaluate("window.same = true")
    drawn = {chart: points(page, chart) for chart in CHARTS}
    seen = {chart: page.chart(chart).get_attribute("data-last") for chart in CHARTS}
    for chart in CHARTS:
        expect(page.chart(chart).locator("canvas").first).to_be_visible()
        has_points(page, chart, drawn[chart] + 2)
    page.until("another value of cpu", lambda: page.chart("cpu").get_attribute("data-last") != seen["cpu"])
    assert page.page.evaluate("window.same"), "it was loaded anew"


@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_is_drawn_and_says_its_newest_value(page: Watched, chart: str) -> None:
    has_points(page, chart, 2)
    last = page.chart(chart).get_attribute("data-last") or ""
    assert any(digit.isdigit() for digit in last), last
    drawn = """section => {
        const canvas = section.querySelector("canvas");
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return new Set(new Uint32Array(pixels.buffer)).size;
    }"""
    page.until("something in the canvas", lambda: page.chart(chart).evaluate(drawn) > 2)


def test_history_is_there_after_a_reload_and_needs_no_live_stream(page: Watched) -> None:
    has_points(page, "mem", 5)
    before = points(page, "mem")
    # One that never says anything: all that is drawn is what the agent has kept.
    silent = {"status": 200, "content_type": "text/event-stream", "body": ""}
    page.page.route("**/ui/live", lambda route: route.fulfill(**silent))
    page.page.reload()
    page.ready()
    has_points(page, "mem", before)


def test_the_span_of_the_history_is_shown(host: Host, page: Watched) -> None:
    expect(page.page.locator("#span")).to_contain_text("1")
    history = host.agent.json("/ui/state")["history"]
    assert 0 < history["bytes"] <= history["max_bytes"]
    assert history["points"] > 0


def test_of_three_pages_at_once_each_moves(host: Host, new_page: OpenPage) -> None:
    pages = [new_page(host.agent).open() for _ in range(3)]
    for each in pages:
        has_points(each, "cpu", points(each, "cpu") + 1)
