"""Language and theme: those of the browser, until somebody chooses; then those, also after a reload."""

from __future__ import annotations

import re

import pytest
from conftest import OpenPage
from host import Host
from playwright.sync_api import expect
from watch import Watched

SAME = "it looks the same whatever the agent runs on"
CHINESE = re.compile("[\u4e00-\u9fff]")


def html(page: Watched, name: str, value: str) -> None:
    expect(page.page.locator("html")).to_have_attribute(name, value)


def headings(page: Watched) -> list[str]:
    return [text for text in page.page.locator("h2").all_inner_texts() if text.strip()]


def switch(page: Watched, selector: str, value: str) -> None:
    """However it is built: a list to choose from, or a button for the next one."""
    control = page.page.locator(selector)
    if control.evaluate("control => control.tagName") == "SELECT":
        control.select_option(value)
    else:
        control.click()


@pytest.mark.parametrize(("locale", "lang"), [("en-US", "en"), ("zh-CN", "zh-CN"), ("zh-TW", "zh-CN"), ("de-DE", "en")])
def test_the_language_is_that_of_the_browser(host: Host, new_page: OpenPage, locale: str, lang: str) -> None:
    page = new_page(host.agent, locale=locale).open()
    html(page, "lang", lang)
    found = headings(page)
    assert len(found) >= 5, found
    chinese = [bool(CHINESE.search(text)) for text in found]
    # Some are the same in both, as CPU.
    assert any(chinese) == (lang == "zh-CN"), found


def test_another_language_is_chosen_and_remembered(host: Host, new_page: OpenPage) -> None:
    page = new_page(host.agent).open()
    html(page, "lang", "en")
    page.page.evaluate("window.same = true")
    switch(page, "#lang", "zh-CN")
    html(page, "lang", "zh-CN")
    page.until("Chinese headings", lambda: any(CHINESE.search(text) for text in headings(page)))
    assert page.page.evaluate("window.same"), "it was loaded anew"
    page.page.reload()
    page.ready()
    html(page, "lang", "zh-CN")
    switch(page, "#lang", "en")
    html(page, "lang", "en")
    page.until("English headings", lambda: not any(CHINESE.search(text) for text in headings(page)))


def brightness(page: Watched) -> int:
    colour = page.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    return sum(int(part) for part in re.findall(r"\d+", colour)[:3])


@pytest.mark.linux(SAME)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_is_that_of_the_browser(host: Host, new_page: OpenPage, scheme: str) -> None:
    page = new_page(host.agent, color_scheme=scheme).open()
    html(page, "data-theme", scheme)
    assert (brightness(page) > 384) == (scheme == "light")


@pytest.mark.linux(SAME)
def test_another_theme_is_chosen_and_remembered(host: Host, new_page: OpenPage) -> None:
    page = new_page(host.agent).open()
    html(page, "data-theme", "light")
    switch(page, "#theme", "dark")
    html(page, "data-theme", "dark")
    page.until("a dark page", lambda: brightness(page) < 384)
    page.page.reload()
    page.ready()
    html(page, "data-theme", "dark")


def test_numbers_have_units_that_people_read(page: Watched) -> None:
    expect(page.chart("cpu")).to_contain_text("%")
    expect(page.chart("mem")).to_contain_text(re.compile(r"\d\s?([KMGT]i?B|[kMGT]B)"))
    expect(page.chart("net")).to_contain_text(re.compile(r"B/s|bit/s|b/s"))


@pytest.mark.linux(SAME)
def test_nothing_moves_for_who_asked_for_less_motion(host: Host, new_page: OpenPage) -> None:
    page = new_page(host.agent, reduced_motion="reduce").open()
    page.open_row(page.find("mem.memfree").first)
    moving = """() => [...document.querySelectorAll("*")].filter(element => {
        const style = getComputedStyle(element);
        const long = text => text.split(",").some(part => parseFloat(part) > 0.01);
        return long(style.transitionDuration) || (style.animationName !== "none" && long(style.animationDuration));
    }).map(element => element.outerHTML.slice(0, 120))"""
    assert page.page.evaluate(moving) == []
    assert page.page.evaluate("document.getAnimations().length") == 0
