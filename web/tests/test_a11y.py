"""For everybody: axe finds nothing, a phone needs no scrolling to the side, and each control has a name."""

from __future__ import annotations

import re

import pytest
from conftest import OpenPage
from host import Host
from playwright.sync_api import expect
from sound import DESK, PHONE, fits, sound
from watch import Watched

pytestmark = pytest.mark.linux("how it is read and used does not depend on what the agent runs on")

THEMES = ("light", "dark")


def opened(host: Host, new_page: OpenPage) -> Watched:
    page = new_page(host.agent).open()
    # In sight, and not a table of hundreds of the same rows.
    page.open_row(page.find("mem.").first)
    return page


def test_axe_finds_nothing_in_both_languages_and_themes(host: Host, new_page: OpenPage) -> None:
    page = opened(host, new_page)
    for theme in THEMES:
        page.page.emulate_media(color_scheme=theme)
        expect(page.page.locator("html")).to_have_attribute("data-theme", theme)
        for width in (DESK, PHONE):
            sound(page, width)
            page.page.locator("#lang").click()


def test_axe_finds_nothing_while_something_is_wrong(host: Host, new_page: OpenPage) -> None:
    page = opened(host, new_page)
    host.hbs.down()
    expect(page.issue("hbs-down")).to_be_visible()
    for theme in THEMES:
        page.page.emulate_media(color_scheme=theme)
        sound(page, DESK)
    host.hbs.up()
    expect(page.issue("hbs-down")).to_have_count(0)


def test_a_phone_scrolls_up_and_down_alone(host: Host, new_page: OpenPage) -> None:
    page = opened(host, new_page)
    for _ in range(2):
        for width in (DESK, 768, PHONE, 320):
            fits(page, width)
        page.page.locator("#lang").click()


def test_health_is_told_to_who_listens(host: Host, new_page: OpenPage) -> None:
    page = opened(host, new_page)
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
