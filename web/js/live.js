// The five charts: what the agent remembers, and then a point a second while somebody looks.

import { Chart, gapOf } from "./charts.js";
import { $, attr, el, isThere, keyed, text } from "./dom.js";
import { bits, bytes, clock, duration, join, number, percent, rate } from "./format.js";
import { stored, t } from "./i18n.js";
import { idsOf, points, roles, rows, summed, sums, thinned } from "./history.js";
import { now, value, world } from "./store.js";

const RANGES = [["live", 300], ["1 h", 3600], ["6 h", 21600], ["all", 0]];
const MOST_LIVE = 3700;
const MOST_DRAWN = 600;
const tenths = (amount) => [number(amount, 2), ""];
/// A scale for rates: a tenth above the greatest, and never so fine that noise looks like work.
const above = (floor) => (greatest) => Math.max(floor, greatest * 1.1);

const isWindows = () => Boolean(world.state) && world.state.os === "windows";

const KINDS = {
    cpu: {
        columns: [{ key: "busy", colour: "c1", fill: true }, { key: "system", colour: "c2" }, { key: "iowait", colour: "c3" }],
        format: percent, most: () => 100,
        of: (live) => live.cpu && [live.cpu.busy, live.cpu.system, isWindows() ? null : live.cpu.iowait],
    },
    mem: {
        columns: [{ key: "used", colour: "c1", fill: true }],
        format: percent, most: () => 100,
        of: (live) => live.mem && [(live.mem.used / live.mem.total) * 100],
    },
    net: {
        columns: [{ key: "in", colour: "c1", fill: true }, { key: "out", colour: "c2" }],
        format: bits, most: above(10000), axis: 68, two: [["↓", "in"], ["↑", "out"]],
        of: (live) => live.net && [live.net.in * 8, live.net.out * 8],
    },
    disk: {
        columns: [{ key: "read", colour: "c1", fill: true }, { key: "write", colour: "c2" }, { hidden: true, format: percent }],
        format: rate, most: above(65536), axis: 68, binary: true, headline: 3,
        of: (live) => live.disk && [live.disk.read, live.disk.write, live.disk.util],
    },
    load: {
        columns: [{ key: "load1", colour: "c1", fill: true }, { key: "load5", colour: "c2" }, { key: "load15", colour: "c3" }],
        format: tenths, most: above(1), height: 166,
        of: (live) => live.load,
    },
};

const QUEUE = { columns: [{ key: "queued", colour: "c1", fill: true }], of: (live) => (isThere(live.queue) ? [live.queue] : null) };

const views = {};
let range = RANGES.some(([name]) => name === stored("range")) ? stored("range") : "live";
let source = null;
let fetched = 0;
let stands = false;
let missed = false;
let watching = () => {};

function view(name) {
    if (views[name]) return views[name];
    const box = document.querySelector(`[data-chart=${name}]`);
    const windows = name === "load" && isWindows();
    const kind = windows ? { ...KINDS.load, ...QUEUE } : KINDS[name];
    const title = box.querySelector("h3");
    if (windows) {
        title.dataset.t = "queueLength";
        text(title, t("queueLength"));
    }
    const line = ([sign, name]) => el("span", { class: "line" }, sign ? el("span", { class: "arrow", "aria-hidden": "true" }, sign) : null,
        name ? el("span", { class: "hidden", "data-t": name }, t(name)) : null, el("span", { class: "num" }, "–"), el("span", { class: "unit" }));
    const lines = (kind.two || [[]]).map(line);
    const big = el("p", { class: kind.two ? "big two" : "big" }, ...lines);
    const sub = el("p", { class: "sub" });
    const at = el("span", { class: "at" });
    title.after(at);
    box.append(big, sub);
    const legend = el("ul", { class: "legend" });
    const chart = new Chart(box, { ...kind, legend, onHover: (time) => text(at, time ? clock(time) : "") });
    box.append(legend);
    views[name] = { box, kind, title, lines, sub, chart, past: [], live: [] };
    return views[name];
}

function span() {
    const [, seconds] = RANGES.find(([name]) => name === range);
    return seconds;
}

/// The rows of a chart from this time on: what was remembered, and behind it what was heard.
function since(one, from) {
    const began = one.live.length ? one.live[0][0] : Infinity;
    const past = one.past.filter((row) => row[0] < began - 0.5 && row[0] >= from);
    return [past, one.live.filter((row) => row[0] >= from)].map((some) => thinned(some, MOST_DRAWN));
}

function draw(name, described) {
    const one = view(name);
    const to = now();
    // An agent that has just begun fills its chart all the same.
    const first = Math.min(to, ...[one.past[0], one.live[0]].filter(Boolean).map((row) => row[0]));
    const from = Math.min(to - 60, span() ? Math.max(first, to - span()) : first);
    const [past, live] = since(one, from);
    const all = past.concat(live);
    one.chart.draw(all, from, to, gapOf(past, world.state ? world.state.step : 60));
    one.chart.tell();
    const last = one.live[one.live.length - 1] || one.past[one.past.length - 1];
    const figures = one.lines.map((_, n) => figure(one, last, n));
    attr(one.box, "data-last", figures.map((parts) => (parts ? join(parts) : "")).join(" "));
    one.lines.forEach((line, n) => {
        text(line.querySelector(".num"), figures[n] ? figures[n][0] : "–");
        text(line.querySelector(".unit"), figures[n] ? figures[n][1] : "");
    });
    attr(one.box, "data-stale", last && to - last[0] > Math.max(15, 3 * (world.state ? world.state.step : 60)) ? "1" : null);
    text(one.sub, sub(name, last));
    if (described) one.chart.describe(one.title.textContent);
}

/// The big figure, or one of two.
function figure({ kind }, last, n) {
    const at = kind.headline && last && isThere(last[kind.headline]) ? kind.headline : n + 1;
    if (!last || !isThere(last[at])) return null;
    return (kind.columns[at - 1].format || kind.format)(last[at]);
}

/// Beside the big figure.
function sub(name, last) {
    const live = world.live;
    if (name === "cpu") {
        const processors = value("cpu.cnt");
        return processors ? (processors === 1 ? t("ofCpu") : t("ofCpus", number(processors))) : "";
    }
    if (name === "mem") {
        const total = live && live.mem ? live.mem.total : value("mem.memtotal");
        const used = live && live.mem ? live.mem.used : value("mem.memused");
        return total ? t("usedOf", join(bytes(used)), join(bytes(total))) : "";
    }
    if (name === "load" && last && !isWindows()) {
        const processors = value("cpu.cnt");
        return processors ? t("loadOf", join(percent((last[1] / processors) * 100)), processors === 1 ? t("ofCpu") : t("ofCpus", number(processors))) : "";
    }
    if (name === "net" || name === "disk") {
        const names = named(summed[name].length ? summed[name] : roles()[name][0].series.map((one) => one.tags.slice(one.tags.indexOf("=") + 1)));
        return name === "disk" && last && isThere(last[3]) ? t("busy") + " · " + names : names;
    }
    return "";
}

/// The names of what is summed up, so that nobody wonders.
function named(names) {
    if (!names.length) return "";
    return names.length <= 3 ? names.join(", ") : names.slice(0, 2).join(", ") + " +" + (names.length - 2);
}

export function drawAll(described = true) {
    for (const name of Object.keys(KINDS)) {
        draw(name, described);
        if (!stands) performance.mark("first-chart");
        stands = true;
    }
}

/// Reads what the agent remembers.
export async function remember() {
    const columns = roles();
    const wanted = new Set(Object.values(columns).flatMap(idsOf));
    let found;
    try {
        found = await points([...wanted], span() ? now() - span() - 120 : 0);
    } catch (_) {
        // What is there stays, and what is heard comes behind it.
        return drawAll();
    }
    for (const name of Object.keys(KINDS)) {
        const one = view(name);
        one.past = rows(columns[name], found);
        // What was heard before nobody looked is in what was remembered, and what came meanwhile too.
        if (missed) one.live = [];
    }
    missed = false;
    fetched = Date.now();
    return drawAll();
}

/// One more row, behind what is earlier: a clock may be set back.
function put(one, row) {
    while (one.live.length && one.live[one.live.length - 1][0] >= row[0]) one.live.pop();
    one.live.push(row);
    if (one.live.length > MOST_LIVE) one.live.splice(0, 100);
}

/// Where nothing is streamed, the newest values of the series are the next points.
export function fromSeries() {
    if (world.live) return;
    const columns = roles();
    for (const name of Object.keys(KINDS)) {
        const one = view(name);
        const row = [0];
        columns[name].forEach((column, at) => {
            for (const series of column.series) {
                const amount = series.type === "GAUGE" ? series.value : series.rate;
                if (amount === null) continue;
                row[0] = Math.max(row[0], series.at);
                const shown = amount * (column.times || 1) + (column.plus || 0);
                row[at + 1] = row[at + 1] === undefined ? shown : (column.join || ((a, b) => a + b))(row[at + 1], shown);
            }
        });
        const last = one.live[one.live.length - 1] || one.past[one.past.length - 1];
        if (row[0] && (!last || last[0] !== row[0])) put(one, Object.assign(columns[name].map(() => undefined).concat(undefined), row));
    }
    drawAll();
}

function heard(event) {
    const live = JSON.parse(event.data);
    world.live = live;
    world.ahead = live.t / 1000 - Date.now() / 1000;
    if (live.top) [world.top, world.topAt] = [live.top, now()];
    for (const [name] of Object.entries(KINDS)) {
        const one = view(name);
        const values = one.kind.of(live);
        if (!values) continue;
        put(one, [live.t / 1000, ...one.kind.columns.map((_, at) => (values[at] === null ? undefined : values[at]))]);
    }
    if (sums(live) || Date.now() - fetched > 1800000) {
        fetched = Date.now();
        remember();
    }
    drawAll(Math.round(live.t / 1000) % 10 === 0);
    watching(live);
}

/// Listens while the page is seen.
export function watch(tell) {
    watching = tell;
    const listen = () => {
        if (document.hidden) {
            if (source) source.close();
            source = world.live = null;
            missed = true;
            return;
        }
        // Who must log in is asked by a reload, not again and again.
        if (world.status === 401 || (source && source.readyState !== EventSource.CLOSED)) return;
        source = new EventSource("ui/live");
        source.onmessage = heard;
        source.onerror = () => {
            world.live = null;
            tell(null);
            // Refused, as when too many look: asked again later. Else the browser does that by itself.
            if (source && source.readyState === EventSource.CLOSED) setTimeout(listen, 15000);
        };
    };
    document.addEventListener("visibilitychange", () => {
        listen();
        if (!document.hidden) remember();
    });
    listen();
}

export function ranges() {
    keyed($("range"), RANGES, ([name]) => name, ([name]) => el("button", {
        type: "button",
        onclick: () => {
            range = name;
            stored("range", name);
            ranges();
            drawAll();
            remember();
        },
    }), (button, [name]) => {
        text(button, name === "live" || name === "all" ? t("range." + name) : name.replace("h", t("units").split(",")[1]));
        attr(button, "aria-pressed", name === range);
    });
}

export function spans() {
    const { history } = world.state;
    const words = history.from ? t("spans", duration(now() - history.from)) : t("spansNone");
    text($("span"), words + " · " + t(world.live ? "live" : "polled"));
}
