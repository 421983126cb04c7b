"""A host that is made up: the page gets its answers in the stead of the agent's, so that each figure is known."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from agent import Agent
from playwright.sync_api import Route
from watch import Watched

STEP = 60
SILENT = {"status": 200, "content_type": "text/event-stream", "body": "retry: 3600000\n\n"}

# One that says what a test says. `streams` are those that are open.
SOURCE = """
window.streams = [];
window.EventSource = class {
    static CLOSED = 2;
    readyState = 1;
    constructor() { window.streams.push(this); }
    close() {
        this.readyState = 2;
        window.streams = window.streams.filter(one => one !== this);
    }
};
"""


class Made:
    """`state` begins as that of a real agent, so that it has whatever one tells."""

    def __init__(self, agent: Agent, system: str = "linux") -> None:
        self._agent = agent
        self.now = int(time.time())
        self.state: dict[str, Any] = agent.json("/ui/state") | {"os": system, "step": STEP, "uptime": 7200}
        self.metrics: dict[str, list[str]] = {}
        self.rows: dict[int, list[Any]] = {}
        self.history: dict[int, list[list[Any]]] = {}

    def add(
        self, metric: str, *values: float | None, tags: str = "", kind: str = "GAUGE", unit: str = "1", origin: str = ""
    ) -> int:
        """A series by its newest values, the last of them of just now; None is a cycle that it missed."""
        id = len(self.rows) + 1
        first = self.now - STEP * (len(values) - 1)
        points = [(first + STEP * n, value) for n, value in enumerate(values) if value is not None]
        at, value = points[-1]
        self.rows[id] = [id, metric, tags, value, kind, at, STEP, origin]
        self.history[id] = [[at for at, _ in points], [value for _, value in points]]
        if not origin:
            self.metrics[metric] = [unit, "Performance counter", "what it means"]
        return id

    def later(self, values: dict[int, float], seconds: int = STEP) -> None:
        """Time goes by: these series have a point more."""
        self.now += seconds
        self.state["uptime"] += seconds
        for id, value in values.items():
            self.rows[id][3], self.rows[id][5] = value, self.now
            self.history[id][0].append(self.now)
            self.history[id][1].append(value)

    def open(self, page: Watched) -> Watched:
        page.page.context.add_init_script(SOURCE)
        page.page.route("**/ui/state", lambda route: self._answer(route, self.state | {"now": self.now}))
        page.page.route("**/ui/series", self._series)
        page.page.route("**/ui/history*", self._history)
        return page.open()

    def _series(self, route: Route) -> None:
        rows = sorted(self.rows.values(), key=lambda row: row[1:3])
        self._answer(route, {"now": self.now, "metrics": self.metrics, "series": rows})

    def _history(self, route: Route) -> None:
        asked = parse_qs(urlsplit(route.request.url).query)["id"][0].split(",")
        found = {id: self.history[int(id)] for id in asked if int(id) in self.history}
        self._answer(route, {"from": self.now - 3600, "series": found})

    def _answer(self, route: Route, answer: Any) -> None:
        route.fulfill(status=200, content_type="application/json", body=json.dumps(answer))


def says(page: Watched, event: dict[str, Any]) -> None:
    """An event of the stream."""
    page.page.evaluate("event => window.streams.at(-1).onmessage({ data: JSON.stringify(event) })", event)
