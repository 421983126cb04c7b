"""What stands together: past and stream of one chart, and a check with the reason that is its own."""

from __future__ import annotations

import pytest
from conftest import OpenPage
from host import Host
from made import Made, says
from playwright.sync_api import expect

pytestmark = pytest.mark.linux("the page adds up the same whatever the agent runs on")


def test_past_and_stream_are_sums_of_the_same_cards(new_page: OpenPage, host: Host) -> None:
    """The page had a list of names of its own: what passed a bridge was twice in the past, and once in the stream."""
    made = Made(host.agent)
    ids = {
        name: made.add("net.if.in.bytes", 0, 60_000, 120_000, tags=f"iface={name}", kind="COUNTER", unit="bytes")
        for name in ("enp1s0", "vmbr0")
    }
    page = made.open(new_page(host.agent))
    expect(page.chart("net").locator(".sub")).to_have_text("enp1s0, vmbr0")
    page.requests.clear()
    says(page, {"t": made.now * 1000, "net": {"in": 1000, "out": 0, "of": ["enp1s0"]}})
    expect(page.chart("net").locator(".sub")).to_have_text("enp1s0")
    asked = page.until("the past of the same", lambda: [url for url in page.requests if "/ui/history?" in url])
    numbers = asked[0].split("id=")[1].split("&")[0].split(",")
    assert str(ids["enp1s0"]) in numbers and str(ids["vmbr0"]) not in numbers, asked


def test_a_check_has_the_reason_that_is_its_own(new_page: OpenPage, host: Host) -> None:
    """web1 was shown with the reason of web10, and an address with a login with none."""
    made = Made(host.agent)
    for name in ("web1", "web10"):
        made.add("ping.loss", 100, tags=f"host={name}")
    made.add("url.check.up", 0, tags="url=http://******@h/x")
    source = {"lane": "net", "state": "ok", "last": made.now, "ms": 1, "points": 2, "remarks": [], "again": None}
    made.state["sources"] = [
        source | {"name": "ping", "problems": [["web10", "ten is silent"]], "more": 3},
        source | {"name": "url", "problems": [["http://h/x", "refused"]], "more": 0},
    ]
    page = made.open(new_page(host.agent)).page
    checks = page.locator("#checks tbody tr")
    expect(checks.filter(has_text="ten is silent")).to_have_count(1)
    expect(checks.filter(has_text="web10")).to_contain_text("ten is silent")
    expect(checks.filter(has_text="http://******@h/x")).to_contain_text("refused")
    expect(page.locator("#sources tbody tr").filter(has_text="ten is silent")).to_contain_text("and 3 more")
