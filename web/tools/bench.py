"""How soon the page and its first chart stand on loopback, and what crosses the wire for them: figures, no verdict."""

from __future__ import annotations

import statistics
from typing import Any

from agent import until
from chromium import launched
from host import Host
from playwright.sync_api import Browser
from watch import Watched

LOADS = 20
# Cycles in the ring before the first load, a second each.
HISTORY = 60
# What the README promises, in ms.
PROMISE = 200

# The stream goes on and is left out: it is opened for what comes later.
FIGURES = """() => {
    const [page] = performance.getEntriesByType("navigation");
    const files = performance.getEntriesByType("resource").filter(file => !file.name.endsWith("/ui/live"));
    const [chart] = performance.getEntriesByName("first-chart");
    return {
        page: page.domContentLoadedEventEnd,
        chart: chart.startTime,
        requests: 1 + files.length,
        bytes: [page, ...files].reduce((sum, file) => sum + file.transferSize, 0),
    };
}"""


def load(browser: Browser, host: Host) -> dict[str, Any]:
    """In a profile of its own: nothing is in its cache."""
    watched = Watched(browser.new_context(viewport={"width": 1440, "height": 1000}), host.agent).open()
    figures = watched.page.evaluate(FIGURES)
    watched.page.context.close()
    watched.assert_clean()
    return figures


def show(what: str, values: list[float]) -> None:
    print(f"{what:<20} {statistics.median(values):>8.0f} {max(values):>8.0f}")


def main() -> None:
    host = Host()
    try:
        start = host.agent.cycles()
        until(f"{HISTORY} s of history", lambda: host.agent.cycles() >= start + HISTORY, host.agent.state, HISTORY * 3)
        history = host.agent.json("/ui/state")["history"]
        print(f"\nring: {history['series']} series, {history['points']} points, {history['bytes']} bytes\n")
        with launched() as browser:
            # The first one pays for the start of Chromium's processes.
            load(browser, host)
            loads = [load(browser, host) for _ in range(LOADS)]
    finally:
        host.close()
    print(f"{f'{LOADS} loads, no cache':<20} {'median':>8} {'worst':>8}")
    show("page, ms", [figures["page"] for figures in loads])
    show("first chart, ms", [figures["chart"] for figures in loads])
    show("requests", [figures["requests"] for figures in loads])
    show("bytes", [figures["bytes"] for figures in loads])
    chart = statistics.median(figures["chart"] for figures in loads)
    kept = "is kept" if chart <= PROMISE else "is NOT kept"
    print(f"\npage and first chart within {PROMISE} ms on loopback: {kept} here, with a median of {chart:.0f} ms")


if __name__ == "__main__":
    main()
