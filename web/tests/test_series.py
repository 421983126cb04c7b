"""Every series: found by what it is called, opened by keyboard, shown with all that is known of it."""

from __future__ import annotations

import re

import pytest
from host import Host
from playwright.sync_api import expect
from watch import Watched

SAME = "the table is the same whatever the agent runs on"
# More than there are in the page.
TABS = 200
BULK = 2000


def tab_to(page: Watched, selector: str) -> None:
    for _ in range(TABS):
        if page.page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            return
        page.page.keyboard.press("Tab")
    raise AssertionError(f"{TABS} times Tab do not lead to {selector}")


def test_search_finds_series_by_name(page: Watched) -> None:
    everything = page.page.locator("#series-count").inner_text()
    assert 1 <= page.find("mem.memfree").count() <= 3
    assert page.page.locator("#series-count").inner_text() != everything


def test_search_finds_series_by_tag(host: Host, page: Watched) -> None:
    host.agent.push(*({"metric": "shop.orders", "tags": f"shop={shop},till=7"} for shop in ("mitte", "nord")))
    rows = page.find("shop=nord")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("shop.orders")


@pytest.mark.linux(SAME)
def test_a_search_for_nothing_says_so_and_an_empty_one_shows_all(page: Watched) -> None:
    page.search("there-is-no-such-series")
    expect(page.rows()).to_have_count(0)
    assert re.search(r"\b0\b", page.page.locator("#series-count").inner_text())
    page.search("")
    page.until("all of them", lambda: page.rows().count() > 20)


@pytest.mark.linux(SAME)
def test_a_series_is_found_opened_and_closed_by_keyboard_alone(page: Watched) -> None:
    tab_to(page, "#search")
    page.page.keyboard.type("cpu.idle")
    page.found("cpu.idle")
    tab_to(page, "#series tr[data-id] button")
    page.page.keyboard.press("Enter")
    detail = page.page.locator("#series .detail")
    expect(detail).to_be_visible()
    expect(detail.locator("canvas")).to_be_visible()
    expect(detail).to_contain_text("%")
    tab_to(page, "#series tr[data-id] button[aria-expanded=true]")
    page.page.keyboard.press("Enter")
    expect(detail).to_have_count(0)


def test_a_pushed_series_shows_its_tags_and_where_it_is_from(host: Host, page: Watched) -> None:
    host.agent.push({"endpoint": "elsewhere", "metric": "shop.visitors", "value": 4242, "tags": "shop=west"})
    row = page.find("shop.visitors")
    expect(row).to_have_count(1)
    expect(row).to_contain_text(re.compile("4[,. ]?242|4.24"))
    detail = page.open_row(row)
    expect(detail).to_contain_text("shop")
    expect(detail).to_contain_text("west")
    expect(detail).to_contain_text("elsewhere")


def test_values_of_an_open_page_are_the_newest(host: Host, page: Watched) -> None:
    host.agent.push({"metric": "shop.stock", "value": 111})
    expect(page.find("shop.stock")).to_contain_text("111")
    host.agent.push({"metric": "shop.stock", "value": 222})
    expect(page.rows()).to_contain_text("222")


@pytest.mark.linux(SAME)
def test_two_thousand_series_are_searched_like_two(host: Host, page: Watched) -> None:
    host.agent.push(*({"metric": f"bulk.m{n}", "value": n, "tags": f"n={n}"} for n in range(BULK)))

    def names() -> list[str]:
        return [row[1] for row in host.agent.json("/ui/series")["series"]]

    page.until("all in the list", lambda: len([name for name in names() if name.startswith("bulk.")]) == BULK)
    expect(page.find("bulk.m1999")).to_have_count(1)
    page.search("bulk.")
    expect(page.page.locator("#series-count")).to_contain_text(re.compile("2[,. \u2009\u202f]?000"))
    expect(page.find("n=777")).to_have_count(1)
    expect(page.rows()).to_contain_text("bulk.m777")
