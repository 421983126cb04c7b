"""For everybody: axe finds nothing, a phone needs no scrolling to the side, and each control has a name."""

from __future__ import annotations

import re

import pytest
from conftest import OpenPage
from host import Host
from playwright.sync_api import expect
from sound import DESK, PHONE, fits, sound
from watch import Watched

def opened(host: Host, new_page: OpenPage, theme: str, locale: str) -> Watched:
    page = new_page(host.agent, color_scheme=theme, locale=locale).open()
    # In sight, and not a table of hundreds of the same rows.
    page.open_row(page.find("mem.").first)
    return page


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
