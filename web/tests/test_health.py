"""What is wrong is said at the top, in plain words and with the way out, and is gone when it is over."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from conftest import MakeHost, OpenPage
from host import Host
from playwright.sync_api import Route, expect
from watch import GONE, REFUSED, Watched

SAME = "it is told the same whatever the agent runs on"


def answers(status: int) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, body="no")


def is_well(page: Watched) -> None:
    expect(page.page.locator("#health")).to_have_attribute("data-state", "ok")
    expect(page.page.locator("#health .issue:visible")).to_have_count(0)


def is_told(page: Watched, code: str) -> None:
    """With what is wrong and the way out: more than a word."""
    expect(page.issue(code)).to_be_visible()
    expect(page.page.locator("#health")).to_have_attribute("data-state", re.compile("warn|bad"))
    text = page.issue(code).inner_text()
    assert len(text.split()) >= 8, text


def test_a_host_without_trouble_says_so(page: Watched) -> None:
    is_well(page)


def test_an_outage_of_the_transfer_is_told_and_what_waited_arrives(host: Host, page: Watched) -> None:
    is_well(page)
    host.transfer.down()
    is_told(page, "transfer-down")
    assert host.transfer.addr in page.page.locator("#health").inner_text()
    host.agent.push(*({"metric": "waited", "value": value, "tags": f"n={value}"} for value in range(3)))
    page.until("points that wait", lambda: host.agent.json("/ui/state")["health"]["queue"]["points"] > 3)
    host.transfer.up()
    expect(page.issue("transfer-down")).to_have_count(0)
    is_well(page)
    page.until("the points that waited", lambda: host.transfer.values("waited") == [0, 1, 2])


def test_an_hbs_that_is_down_is_told_until_it_is_back(host: Host, page: Watched) -> None:
    is_well(page)
    host.hbs.down()
    is_told(page, "hbs-down")
    assert host.hbs.addr in page.page.locator("#health").inner_text()
    host.hbs.up()
    expect(page.issue("hbs-down")).to_have_count(0)
    is_well(page)


def test_an_agent_that_ends_is_told_and_one_that_starts_again_is_picked_up(
    make_host: MakeHost, new_page: OpenPage
) -> None:
    host = make_host()
    page = new_page(host.agent).open()
    page.page.evaluate("window.same = true")
    page.expected.append(GONE)
    # While its page is open, and its stream with it.
    assert host.agent.stop() == 0, host.agent.state()
    is_told(page, "agent-gone")
    host.agent.start()
    expect(page.issue("agent-gone")).to_have_count(0)
    page.moves()
    is_well(page)
    assert page.page.evaluate("window.same"), "it was loaded anew"


# By what is answered: what is told of it. 403 is of the name by which the page was asked for.
ANSWERS = {401: "http.token", 403: "http.hosts", 500: "500"}


@pytest.mark.linux(SAME)
def test_an_agent_that_refuses_or_fails_is_told_while_the_page_is_open(host: Host, new_page: OpenPage) -> None:
    page = new_page(host.agent).open()
    is_well(page)
    page.expected.append(REFUSED)
    # The last one asks for no more until somebody logs in.
    for status in sorted(ANSWERS, reverse=True):
        page.page.route("**/ui/*", answers(status))
        page.until("two failures", lambda: (page.asks_anew(), page.issue("agent-gone").count())[1])
        is_told(page, "agent-gone")
        said = page.page.locator("#health").inner_text()
        assert str(status) in said and ANSWERS[status] in said, said
        assert "reach" not in page.page.locator("#verdict-text").inner_text(), "well, and gone"
        page.page.unroute("**/ui/*")
        page.asks_anew()
        if status == 401:
            page.page.reload()
            page.ready()
        expect(page.issue("agent-gone")).to_have_count(0)
        is_well(page)


@pytest.mark.linux(SAME)
def test_a_page_that_is_opened_while_the_agent_fails_comes_up_by_itself(host: Host, new_page: OpenPage) -> None:
    page = new_page(host.agent)
    page.expected.append(REFUSED)
    page.page.route("**/ui/series", answers(503))
    page.page.goto(host.agent.origin + "/")
    page.page.evaluate("window.same = true")
    is_told(page, "agent-gone")
    assert "503" in page.page.locator("#health").inner_text()
    page.page.unroute("**/ui/series")
    page.ready()
    expect(page.issue("agent-gone")).to_have_count(0)
    page.moves()
    assert page.page.evaluate("window.same"), "it was loaded anew"


@pytest.mark.linux(SAME)
def test_a_page_without_history_begins_with_what_is_live(host: Host, new_page: OpenPage) -> None:
    page = new_page(host.agent)
    page.expected.append(REFUSED)
    page.page.route("**/ui/history*", answers(500))
    page.page.goto(host.agent.origin + "/")
    page.page.evaluate("window.same = true")
    page.ready()
    page.moves()
    assert page.page.evaluate("window.same"), "it was loaded anew"


def test_a_host_that_has_no_transfer_is_told_so(make_host: MakeHost, new_page: OpenPage) -> None:
    host = make_host(lambda config: config.update(transfer={"enabled": True, "addrs": [], "interval": 1}))
    is_told(new_page(host.agent).open(), "transfer-none")


@pytest.mark.linux(SAME)
def test_a_transfer_that_is_switched_off_is_told_though_pushes_go_to_it(
    make_host: MakeHost, new_page: OpenPage
) -> None:
    host = make_host(lambda config: config["transfer"].update(enabled=False))
    page = new_page(host.agent).open()
    is_told(page, "transfer-none")
    host.agent.push({"metric": "shop.orders"})
    page.until("the push", lambda: host.transfer.values("shop.orders"))
    is_told(page, "transfer-none")
    assert "transfer.enabled" in page.page.locator("#health").inner_text()


@pytest.mark.linux(SAME)
def test_trouble_is_told_in_the_language_of_the_page(host: Host, new_page: OpenPage) -> None:
    pages = {locale: new_page(host.agent, locale=locale).open() for locale in ("en-US", "zh-CN")}
    host.hbs.down()
    for locale, page in pages.items():
        expect(page.issue("hbs-down")).to_be_visible()
        text = page.issue("hbs-down").inner_text()
        assert bool(re.search("[\u4e00-\u9fff]", text)) == (locale == "zh-CN"), text
    host.hbs.up()
    for page in pages.values():
        expect(page.issue("hbs-down")).to_have_count(0)


NO_SH = "Windows has no sh; how plugins run there is proved by `interop-windows`"


@pytest.mark.linux(NO_SH)
def test_a_plugin_that_fails_shows_its_reason(
    make_host: MakeHost, new_page: OpenPage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "shop").mkdir()
    plugin = folder / "shop" / "1_orders.sh"
    plugin.write_text("#!/bin/sh\necho 'no orders: the database <b>is</b> away' >&2\nexit 3\n")
    plugin.chmod(0o755)
    host = make_host(lambda config: config.update(plugin={"enabled": True, "dir": str(folder)}))
    host.hbs.plugins = ["shop"]
    page = new_page(host.agent).open()
    plugins = page.page.locator("#plugins")
    expect(plugins).to_contain_text("shop/1_orders.sh")
    expect(plugins).to_contain_text("3")
    expect(plugins).to_contain_text("the database <b>is</b> away")
    is_told(page, "plugin-failed")
