// Every series with its newest value. Rows beyond the first hundreds are made when they are asked for.

import { Chart, gapOf } from "./charts.js";
import { $, attr, el, keyed, text } from "./dom.js";
import { ago, duration, join, moment, number, perSecond as rateShown, value as shown } from "./format.js";
import { points, perSecond, thinned } from "./history.js";
import { t } from "./i18n.js";
import { isStale, now, rateOf, same, world } from "./store.js";

const AT_FIRST = 60;
const MORE = 300;
const COLUMNS = [["", "metric"], ["tags", "tags"], ["n", "value"], ["n age", "age"], ["from", "from"]];
const ORDERS = {
    metric: (a, b) => (a.metric < b.metric ? -1 : a.metric > b.metric ? 1 : a.tags < b.tags ? -1 : 1),
    tags: (a, b) => (a.tags < b.tags ? -1 : 1),
    value: (a, b) => b.value - a.value,
    age: (a, b) => b.at - a.at,
    from: (a, b) => (a.from < b.from ? -1 : 1),
};

let order = "metric";
let room = AT_FIRST;
let open = null;

const declared = (one) => (one.from === "" && world.metrics[one.metric]) || ["", "", ""];

function fromOf(one) {
    if (one.from === "") return t("agent");
    return one.from.replace(/^(plugin|push)/, (way) => t("from." + way));
}

function matching() {
    const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return world.list;
    return world.list.filter((one) => {
        if (!one.hay) one.hay = (one.metric + " " + one.tags + " " + (one.from || "agent") + " " + fromOf(one)).toLowerCase();
        return words.every((word) => one.hay.includes(word));
    });
}

function head() {
    const line = $("series").tHead.rows[0] || $("series").tHead.insertRow();
    keyed(line, COLUMNS, (column) => column[1], ([name, key]) =>
        el("th", { scope: "col", class: name }, el("button", {
            type: "button",
            onclick: () => {
                order = key;
                showSeries();
            },
        })), (cell, [, key]) => {
        text(cell.firstChild, t(key));
        attr(cell, "aria-sort", key === order ? (key === "value" || key === "age" ? "descending" : "ascending") : null);
    });
}

function make(one) {
    const button = el("button", { type: "button", "aria-expanded": "false", onclick: () => toggle(one.id) });
    const line = el("tr", { "data-id": one.id }, el("th", { scope: "row" }, button), el("td", { class: "tags" }), el("td", { class: "n" }, el("span", { class: "rate" }), el("span")), el("td", { class: "n age" }), el("td", { class: "from" }));
    line.addEventListener("click", (event) => {
        if (!event.target.closest("button") && !getSelection().toString()) toggle(one.id);
    });
    return line;
}

function update(line, one) {
    text(line.cells[0].firstChild, one.metric);
    attr(line.cells[0].firstChild, "aria-expanded", open && open.id === one.id);
    attr(line.cells[0].firstChild, "aria-controls", open && open.id === one.id ? "detail" : null);
    text(line.cells[1], one.tags.replaceAll(",", ", "));
    const [rate, figure] = line.cells[2].children;
    text(rate, one.rate === null ? "" : join(rateShown(one.rate, declared(one)[0])));
    text(figure, join(shown(one.value, declared(one)[0])));
    const stale = isStale(one);
    attr(line, "data-stale", stale ? "1" : null);
    text(line.cells[3], (stale ? t("stale") + " · " : "") + duration(Math.max(0, now() - one.at)));
    text(line.cells[4], fromOf(one));
}

export function showSeries() {
    head();
    const all = matching();
    const sorted = order === "metric" ? all : [...all].sort(ORDERS[order]);
    const some = sorted.slice(0, room);
    const found = all.length === world.list.length ? t("count", number(all.length)) : t("countOf", number(all.length), number(world.list.length));
    text($("series-count"), found);
    if (open && !some.some((one) => one.id === open.id && same(one, open.of))) close();
    // The row that is open stays in view, with its detail behind it.
    const lines = some.flatMap((one) => (open && open.id === one.id ? [one, open] : [one]));
    keyed($("series").tBodies[0], lines, (one) => (one === open ? "detail" + one.id : one.id), (one) => (one === open ? open.line : make(one)), (line, one) => {
        if (one !== open) update(line, one);
    });
    const none = $("series-none");
    attr(none, "hidden", all.length ? "" : null);
    text(none, t(world.list.length ? "noMatch" : "noSeries"));
    const left = sorted.length - some.length;
    attr($("more"), "hidden", left ? null : "");
    text($("more"), t("showMore", number(Math.min(MORE, left))));
    if (open) tellDetail();
}

function close() {
    if (open && open.chart) open.chart.drop();
    open = null;
}

function toggle(id) {
    const same = open && open.id === id;
    close();
    if (!same) {
        const facts = el("dl");
        const plot = el("div", { class: "history" });
        open = { id, of: world.list.find((one) => one.id === id), facts, plot, line: el("tr", { class: "detail", id: "detail" }, el("td", { colspan: "5" }, facts, plot)), rows: [], chart: null };
    }
    showSeries();
    if (open) remember(open);
}

async function remember(detail) {
    let history = [[], []];
    try {
        history = (await points([detail.id], 0)).get(detail.id) || history;
    } catch (_) {
        // Its newest value is known all the same.
    }
    if (open !== detail) return;
    const one = world.list.find((series) => series.id === detail.id);
    if (!one) return;
    const isRate = one.type !== "GAUGE";
    if (!history[0].length) history = [[one.at], [one.value]];
    const [times, values] = isRate ? perSecond(history, one.type) : history;
    detail.rows = times.map((time, at) => [time, values[at]]);
    detail.last = one;
    const unit = declared(one)[0];
    if (!detail.chart) {
        detail.chart = new Chart(detail.plot, {
            columns: [{ key: isRate ? "asRate" : "value", colour: "c1", fill: true }],
            format: (amount) => (isRate ? rateShown(amount, unit) : shown(amount, unit)),
            most: (greatest) => (unit === "%" && !isRate && greatest <= 100 && greatest > 20 ? 100 : greatest > 0 ? greatest * 1.1 : 1),
            height: 150, sync: false, axis: 80, binary: ["B", "KB", "MiB", "B/s"].includes(unit), legend: el("ul", { class: "legend" }),
        });
        detail.plot.append(detail.chart.legend);
    }
    tellDetail();
}

/// The facts of the series that is open, and its chart with the points that came since.
function tellDetail() {
    const one = world.list.find((series) => series.id === open.id);
    if (!one) return;
    const [unit, source, help] = declared(one);
    const tags = one.tags ? one.tags.replaceAll(",", ", ") : t("none");
    const facts = [
        ["metric", one.metric], ["tags", tags], ["help", help || t("noHelp")], ["source", source || fromOf(one)], ["unit", unit || t("none")],
        ["type", one.type], ["raw", String(one.value)], ["step", duration(one.step)], ["lastPoint", moment(one.at) + " (" + ago(now() - one.at) + ")"],
    ];
    keyed(open.facts, facts, ([key]) => key, ([key]) => el("div", { class: "f-" + key }, el("dt"), el("dd", key === "help" && help ? { lang: "en" } : null)), (item, [key, fact]) => {
        text(item.children[0], t(key));
        text(item.children[1], fact);
    });
    if (!open.chart) return;
    if (one.at > open.last.at) {
        open.rows.push([one.at, one.type === "GAUGE" ? one.value : rateOf(open.last, one)]);
        open.last = one;
        if (open.rows.length > 7200) open.rows = thinned(open.rows, 3600);
    }
    const rows = open.rows;
    const to = now();
    const from = rows.length ? Math.min(rows[0][0], to - 60) : to - 60;
    const thin = thinned(rows, 900);
    open.chart.draw(thin, from, to, gapOf(thin, one.step));
    open.chart.tell();
    open.chart.describe(one.metric + (one.tags ? " " + one.tags : ""));
}

export function listen() {
    let timer = 0;
    $("search").addEventListener("input", () => {
        clearTimeout(timer);
        timer = setTimeout(() => {
            room = AT_FIRST;
            showSeries();
        }, 60);
    });
    $("more").addEventListener("click", () => {
        room += MORE;
        showSeries();
    });
    // What came while nobody looked is remembered.
    document.addEventListener("visibilitychange", () => {
        if (open && open.chart && !document.hidden) remember(open);
    });
}
