"""Names from outside are text: they are shown as they are, and run, load and change nothing."""

from __future__ import annotations

import pytest
from agent import ENDPOINT
from conftest import OpenPage
from host import Host
from playwright.sync_api import expect
from watch import Watched

pytestmark = pytest.mark.linux("names are text whatever the agent runs on")

NAMES = {
    "image": "<img src=x onerror=window.hostile=1>",
    "script": '"><script>window.hostile=1</script>',
    "quote": "'onmouseover='window.hostile=1",
    "template": "${window.hostile=1}{{window.hostile=1}}",
    "style": "</style><style>body{display:none}</style>",
    "entity": "&lt;b&gt;&#x27;&amp;",
    "link": "javascript:window.hostile=1//",
    "svg": "<svg/onload=window.hostile=1>",
    "chinese": "磁盘使用率",
    "percent": "%3Cb%3E%00%zz",
    "prototype": "__proto__",
    "constructor": "constructor",
}
# Shown, but not so that one could compare: what they do to the rest of a row is.
ODD = {"override": "a\u202eb\u2066c", "control": "a\u0001\u001b[31mb\u0085c", "long": "w" * 500, "wide": "宽" * 160}

INJECTED = (
    "img[src=x], #series script, #health script, #series style, svg[onload], [onerror], [onmouseover], [onload], "
    "a[href^=javascript]"
)


def is_harmless(page: Watched) -> None:
    assert page.page.evaluate("window.hostile") is None, "it ran"
    assert page.page.locator(INJECTED).count() == 0, page.page.locator("#series").inner_html()
    expect(page.page.locator("#search")).to_be_visible()
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not page.page.evaluate(wide), "the page is wider than its window"


def opened(page: Watched, text: str) -> None:
    expect(page.find(text)).to_have_count(1)
    page.open_row(page.rows())


def test_hostile_names_of_metrics_are_text(host: Host, page: Watched) -> None:
    host.agent.push(*({"metric": name, "tags": f"metric={kind}"} for kind, name in NAMES.items()))
    for kind, name in NAMES.items():
        opened(page, f"metric={kind}")
        expect(page.rows()).to_contain_text(name)
        is_harmless(page)


def test_hostile_values_of_tags_are_text(host: Host, page: Watched) -> None:
    # Commas and blanks part tags, and an equals sign ends a name.
    tags = {kind: name.replace(" ", "/").replace("=", "-").replace(",", ";") for kind, name in NAMES.items()}
    host.agent.push(*({"metric": f"tagged.{kind}", "tags": f"tag={tag}"} for kind, tag in tags.items()))
    for kind, tag in tags.items():
        expect(page.find(f"tagged.{kind}")).to_contain_text(tag)
    opened(page, "tagged.image")
    is_harmless(page)


def test_hostile_endpoints_are_text(host: Host, page: Watched) -> None:
    host.agent.push(*({"endpoint": name, "metric": f"from.{kind}"} for kind, name in NAMES.items()))
    for kind in ("image", "script", "svg"):
        opened(page, f"from.{kind}")
        expect(page.page.locator("#series .detail")).to_contain_text(NAMES[kind])
        is_harmless(page)


def test_names_that_are_no_line_of_text_disturb_no_other(host: Host, page: Watched) -> None:
    host.agent.push(*({"metric": name, "tags": f"odd={kind}"} for kind, name in ODD.items()))
    for kind in ODD:
        opened(page, f"odd={kind}")
        is_harmless(page)


def test_what_is_searched_for_is_text_as_well(page: Watched) -> None:
    for name in NAMES.values():
        page.search(name)
        is_harmless(page)
    for pattern in ("(", "[a-", "\\", "*", ".*", "+"):
        page.search(pattern)
    page.search("mem.memfree")
    page.until("the table goes on", lambda: page.rows().count() >= 1)


def test_the_address_of_the_page_does_nothing_by_what_follows_it(host: Host, new_page: OpenPage) -> None:
    page = new_page(host.agent)
    image, script = "%3Cimg%20src=x%20onerror=window.hostile=1%3E", "%3Cscript%3Ewindow.hostile=1%3C/script%3E"
    page.page.goto(f"{host.agent.origin}/?q={image}#{script}")
    page.ready()
    is_harmless(page)
    expect(page.page.locator("body")).to_contain_text(ENDPOINT)
