"""For everybody: axe finds nothing, a phone needs no scrolling to the side, and each control has a name."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import OpenPage
from host import Host
from playwright.sync_api import expect
from watch import Watched

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
PHONE, DESK = 375, 1440


def opened(host: Host, new_page: OpenPage, theme: str, locale: str) -> Watched:
    page = new_page(host.agent, color_scheme=theme, locale=locale).open()
    # In sight, and not a table of hundreds of the same rows.
    page.open_row(page.find("mem.").first)
    return page


def sound(page: Watched, width: int) -> None:
    page.page.set_viewport_size({"width": width, "height": 900})
    found = Axe().run(page.page, options={"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]})
    assert found.violations_count == 0, f"{width} px\n{found.generate_report()}"


def fits(page: Watched, width: int) -> None:
    page.page.set_viewport_size({"width": width, "height": 900})
    wider = """width => [...document.body.querySelectorAll("*")]
        .filter(element => element.getBoundingClientRect().right > width + 1)
        .map(element => element.outerHTML.slice(0, 100)).slice(0, 5)"""
    wide = page.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, (wide, page.page.evaluate(wider, width))


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(host: Host, new_page: OpenPage, theme: str, locale: str) -> None:
    page = opened(host, new_page, theme, locale)
    sound(page, DESK)
    sound(page, PHONE)


def test_axe_finds_nothing_while_something_is_wrong(host: Host, new_page: OpenPage) -> None:
    page = opened(host, new_page, "light", "en-US")
    host.hbs.down()
    expect(page.issue("hbs-down")).to_be_visible()
    sound(page, DESK)
    page.page.emulate_media(color_scheme="dark")
    sound(page, PHONE)
    host.hbs.up()
    expect(page.issue("hbs-down")).to_have_count(0)


def test_a_phone_scrolls_up_and_down_alone(host: Host, new_page: OpenPage) -> None:
    page = opened(host, new_page, "light", "en-US")
    for _ in range(2):
        for width in (DESK, 768, PHONE, 320):
            fits(page, width)
        page.page.locator("#lang").click()


def test_health_is_told_to_who_listens(host: Host, new_page: OpenPage) -> None:
    page = opened(host, new_page, "light", "en-US")
    expect(page.page.locator("#health")).to_have_role("status")
    for selector in ("#search", "#lang", "#theme"):
        expect(page.page.locator(selector)).to_have_accessible_name(re.compile(r"\S"))


def test_where_the_keyboard_is_can_be_seen(host: Host, new_page: OpenPage) -> None:
    page = new_page(host.agent).open()
    visible = """() => {
        const style = getComputedStyle(document.activeElement);
        return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
    }"""
    for _ in range(8):
        page.page.keyboard.press("Tab")
        assert page.page.evaluate(visible), page.page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
