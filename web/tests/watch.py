"""A page under watch: whatever no page of the agent may do is a failure of the test that opened it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from agent import PATIENCE, Agent
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, expect

# Chromium tells of a broken policy on the console as well, but not of every kind.
INIT = """
addEventListener("securitypolicyviolation", event =>
    console.error("policy: " + event.effectiveDirective + " " + event.blockedURI + " " + event.sample));
"""

# What Chromium itself says of requests that the page makes: to a server that is gone, and to one that refuses.
GONE = "Failed to load resource: net::ERR_"
REFUSED = "Failed to load resource: the server responded with a status of "


class Watched:
    """A page of an agent, and what was said and asked for since it was opened."""

    def __init__(self, context: BrowserContext, agent: Agent) -> None:
        self.agent = agent
        self.wrong: list[str] = []
        self.requests: list[str] = []
        # Beginnings of what a test itself makes Chromium say.
        self.expected: list[str] = []
        context.add_init_script(INIT)
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE * 1000)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.wrong.append(f"not caught: {error.message}\n{error.stack}"))
        self.page.on("request", self._request)
        self.page.on("dialog", lambda dialog: (self.wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        context.on("page", lambda page: self.wrong.append(f"a page of its own: {page.url}"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning", "assert"):
            return
        if not message.text.startswith(tuple(self.expected)):
            self.wrong.append(f"console: {message.text} ({message.location})")

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)
        if not request.url.startswith((self.agent.origin + "/", "data:", "blob:" + self.agent.origin)):
            self.wrong.append(f"request to elsewhere: {request.url}")
        if request.method != "GET":
            self.wrong.append(f"a request that may change something: {request.method} {request.url}")

    def open(self) -> Watched:
        """Until the first chart stands."""
        self.page.goto(self.agent.origin + "/")
        self.ready()
        return self

    def ready(self) -> None:
        self.wait("the first chart", "document.body?.dataset.ready === '1'")

    def wait(self, what: str, expression: str, argument: Any = None) -> Any:
        """Asks the page until it says yes. Playwright's own wait_for_function needs eval, which the policy forbids."""
        return self.until(what, lambda: self.page.evaluate(expression, argument))

    def until(self, what: str, ask: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = ask()
            if answer:
                return answer
            assert time.monotonic() < deadline, f"waited {PATIENCE:.0f} s in vain for {what}\n{self.state()}"
            # Events of the page are told meanwhile.
            self.page.wait_for_timeout(50)

    def chart(self, name: str) -> Locator:
        return self.page.locator(f"section[data-chart={name}]")

    def points(self, chart: str) -> int:
        return int(self.chart(chart).get_attribute("data-points") or 0)

    def has_points(self, chart: str, count: int) -> None:
        self.until(f"{count} points of {chart}", lambda: self.points(chart) >= count)

    def newest(self, charts: list[str]) -> list[str | None]:
        """What each says its newest value is."""
        return [self.chart(chart).get_attribute("data-last") for chart in charts]

    def moves(self) -> None:
        """A later point is drawn. Another value would prove nothing, as that of a busy processor stays; nor would more
        points, as for each that comes one may go."""
        seen = self.last_at("cpu")
        self.until("a later point", lambda: self.last_at("cpu") > seen)

    def last_at(self, chart: str) -> float:
        return float(self.chart(chart).get_attribute("data-at") or 0)

    def asks_anew(self) -> None:
        """As for who comes back to the tab: all is asked for at once, and not after some seconds."""
        self.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    def issue(self, code: str) -> Locator:
        return self.page.locator(f"#health .issue[data-code={code}]")

    def rows(self) -> Locator:
        return self.page.locator("#series tr[data-id]:visible")

    def search(self, text: str) -> None:
        self.page.locator("#search").fill(text)

    def find(self, text: str) -> Locator:
        """The rows that are left of the table, once all that are have this text in them."""
        self.asks_anew()
        self.search(text)
        self.found(text)
        return self.rows()

    def found(self, text: str) -> list[str]:
        def only() -> list[str]:
            rows = self.rows().all_inner_texts()
            return rows if all(text in row for row in rows) else []

        return self.until(f"rows with {text!r} alone", only)

    def open_row(self, row: Locator) -> Locator:
        """Its detail, with its chart."""
        row.locator("button").click()
        detail = self.page.locator("#series .detail")
        expect(detail.locator("canvas")).to_be_visible()
        return detail

    def state(self) -> str:
        health = self.page.locator("#health")
        shown = health.inner_text() if health.count() else "no #health"
        return f"wrong: {json.dumps(self.wrong, indent=1)}\nhealth as shown: {shown}\n{self.agent.state()}"

    def assert_clean(self) -> None:
        assert not self.wrong, "\n".join(self.wrong)
