"""The charts, and what they are drawn from: the live stream and the ring of history."""

from __future__ import annotations

import re

from agent import IS_WINDOWS
from conftest import OpenPage
from host import Host
from made import SILENT
from playwright.sync_api import expect
from watch import Watched

# Wine tells nothing of disks.
CHARTS = ["cpu", "mem", "net", "load"] + ([] if IS_WINDOWS else ["disk"])


def test_every_chart_moves_without_a_reload(page: Watched) -> None:
    page.page.evaluate("window.same = true")
    seen = page.newest(CHARTS)
    for chart in CHARTS:
        expect(page.chart(chart).locator("canvas").first).to_be_visible()
        before = page.last_at(chart)
        page.until(f"two later points of {chart}", lambda chart=chart, before=before: page.last_at(chart) >= before + 2)
    page.until("another value", lambda: page.newest(CHARTS) != seen)
    assert page.page.evaluate("window.same"), "it was loaded anew"


def test_every_chart_is_drawn_and_says_its_newest_value(page: Watched) -> None:
    # The colour of the line: labels have many others.
    drawn = """section => {
        const canvas = section.querySelector("canvas");
        const context = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
        context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--c1").trim();
        const [r, g, b] = [1, 3, 5].map(at => parseInt(context.fillStyle.slice(at, at + 2), 16));
        context.drawImage(canvas, 0, 0);
        const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
        let count = 0;
        for (let at = 0; at < pixels.length; at += 4) {
            const far = [r, g, b].map((wanted, n) => Math.abs(pixels[at + n] - wanted));
            count += pixels[at + 3] > 200 && Math.max(...far) < 12;
        }
        return count;
    }"""
    for chart in CHARTS:
        page.has_points(chart, 2)
        last = page.chart(chart).get_attribute("data-last") or ""
        assert any(digit.isdigit() for digit in last), (chart, last)
    # Of what is never nothing: a line at 0 is the edge.
    page.until("a line in the canvas", lambda: page.chart("mem").evaluate(drawn) > 20)


def test_history_is_there_after_a_reload_and_needs_no_live_stream(host: Host, page: Watched) -> None:
    kept = next(row[0] for row in host.agent.json("/ui/series")["series"] if row[1] == "mem.memused.percent")

    def count() -> int:
        return len(host.agent.json(f"/ui/history?id={kept}")["series"][str(kept)][0])

    page.until("some points that are kept", lambda: count() >= 5)
    before = count()
    # One that never says anything: all that is drawn at first is what the agent has kept.
    page.page.route("**/ui/live", lambda route: route.fulfill(**SILENT))
    page.page.reload()
    page.ready()
    assert page.points("mem") >= before


def test_the_span_of_the_history_is_shown(host: Host, page: Watched) -> None:
    expect(page.page.locator("#span")).to_contain_text(re.compile(r"[0-9]"))
    history = host.agent.json("/ui/state")["history"]
    assert 0 < history["bytes"] <= history["max_bytes"]
    assert history["points"] > 0


def test_of_three_pages_at_once_each_moves(host: Host, new_page: OpenPage) -> None:
    pages = [new_page(host.agent).open() for _ in range(3)]
    for each in pages:
        each.moves()
