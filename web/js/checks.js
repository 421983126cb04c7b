// What is checked, the plugins, and the sources: each with its last result and the reason.

import { $, attr, el, isThere, keyed, row, sentence, table, text } from "./dom.js";
import { ago, bytes, join, number } from "./format.js";
import { pluginFails, pluginReason } from "./health.js";
import { t } from "./i18n.js";
import { isStale, now, of, tagsOf, world } from "./store.js";

const COLUMNS = [["", "check"], ["s", "result"], ["n", "value"]];
const ms = (value) => number(value, value < 10 ? 1 : 0) + "\u00a0ms";

/// A check by its metric: kind, tag that names it, the source whose problems tell why, whether it is well, what is shown.
const CHECKS = [
    ["url.check.up", "url", "url", "url", (one) => one.value > 0, url],
    ["url.check.health", "url", "url", "url", (one) => one.value > 0, () => ""],
    ["tcp.connect.up", "tcp", "address", "tcp", (one) => one.value > 0, (one) => beside("tcp.connect.time", one, ms)],
    ["ping.loss", "ping", "host", "ping", (one) => one.value < 100, (one) => [beside("ping.rtt", one, ms), one.value > 0 ? t("lossOf", number(one.value, 0)) : ""]],
    ["dns.query.up", "dns", "name", "dns", (one) => one.value > 0, (one) => beside("dns.query.time", one, ms)],
    ["net.port.listen", "port", null, "port", (one) => one.value > 0, (one) => t(one.value > 0 ? "listens" : "notListens")],
    ["net.port.tcp", "port", "port", "port", (one) => one.value > 0, (one) => t(one.value > 0 ? "listens" : "notListens")],
    ["net.port.udp", "port", "port", "port", (one) => one.value > 0, (one) => t(one.value > 0 ? "listens" : "notListens")],
    ["proc.num", "proc", null, "proc_num", (one) => one.value > 0, (one) => t("processes", number(one.value))],
    ["service.running", "service", "name", "service", (one) => one.value > 0, (one) => t(one.value > 0 ? "running" : "stopped")],
    ["du.bs", "du", null, "du", (one) => one.value >= 0, (one) => (one.value < 0 ? t("unknownSize") : join(bytes(one.value)))],
];

/// Tags of the checks that have no one tag to name them.
const OWN = ["port", "cmdline", "name", "path"];

/// Of the same thing, another metric.
function beside(metric, one, show) {
    const other = of(metric).find((series) => series.tags === one.tags);
    return other ? show(other.value) : "";
}

function url(one) {
    const status = beside("url.check.status", one, (value) => t("status", value));
    const time = beside("url.check.time", one, ms);
    const cert = beside("url.check.cert.ok", one, (value) => (value > 0 ? "" : t("certBad")));
    return [status, time, cert || beside("url.check.cert.days", one, (value) => t("certDays", number(Math.floor(value))))];
}

/// Whether it stands there as a word of its own: `web1` neither in `web10` nor in `web1.corp`.
function says(what, named) {
    return what.split(named).some((after, n, all) => n && !/[\p{L}\p{N}_./-]$/u.test(all[n - 1]) && !/^[\p{L}\p{N}_./-]/u.test(after));
}

/// A source's word on this thing. Of an address with a login the source leaves out that there is one.
function reason(source, named) {
    const of = world.state.sources.find((one) => one.name === source);
    const notes = of ? [...of.problems, ...of.remarks] : [];
    const name = named.replace("******@", "");
    const problem = notes.find(([what]) => what === name) || notes.find(([what]) => says(what, name));
    return problem ? problem[1] : "";
}

function checks() {
    return CHECKS.flatMap(([metric, kind, tag, source, isWell, shown]) => of(metric).map((one) => {
        const tags = tagsOf(one.tags);
        // What hbs assigns has whatever keys its strategy has; without its own, all of them.
        const own = OWN.filter((key) => tags[key]).map((key) => tags[key]);
        const name = (tag && tags[tag]) || (own.length ? own : Object.values(tags)).join(", ") || one.metric;
        const more = metric === "dns.query.up" && tags.type && tags.server !== "system" ? " " + tags.type + " @" + tags.server : "";
        const proto = metric === "net.port.tcp" ? "/tcp" : metric === "net.port.udp" ? "/udp" : "";
        const well = isWell(one);
        return {
            key: one.id, kind, name: name + more + proto, well, stale: isStale(one), reason: well ? "" : reason(source, name),
            value: [].concat(shown(one)).filter(Boolean).join(" · "),
        };
    })).sort((a, b) => a.well - b.well);
}

export function showChecks() {
    const box = $("checks");
    const all = checks();
    world.failing = all.filter((one) => !one.well && !one.stale).length;
    sentence(box, all.length ? null : t("noChecks"));
    const body = table(box, COLUMNS, t("checks"), t).tBodies[0];
    attr(body.parentElement, "hidden", all.length ? null : "");
    keyed(body, all, (one) => one.key, () => {
        const line = row(COLUMNS);
        line.cells[0].append(el("div", { class: "of" }, el("span", { class: "kind" }), el("span", { class: "name" }), el("span", { class: "why" })));
        line.cells[1].append(el("span", { class: "state" }));
        return line;
    }, (line, one) => {
        attr(line, "data-state", one.stale ? "stale" : one.well ? "ok" : "bad");
        const [kind, name, why] = line.cells[0].firstChild.children;
        text(kind, t("kind." + one.kind));
        text(name, one.name);
        text(why, one.reason);
        text(line.cells[1].firstChild, t(one.stale ? "stale" : one.well ? "good" : "failed"));
        text(line.cells[2], one.value);
    });
}

const PLUGINS = [["", "plugin"], ["s", "state"], ["n", "lastRun"], ["n extra", "took"], ["n extra", "points"]];

export function showPlugins() {
    const box = $("plugins");
    const { plugins } = world.state;
    const all = (plugins ? plugins.list : []).map((one) => ({ ...one, fails: pluginFails(one) }));
    const bad = (one) => (one.fails ? 2 : Number(one.state === "left"));
    all.sort((a, b) => bad(b) - bad(a) || (a.name < b.name ? -1 : 1));
    sentence(box, all.length ? null : t(plugins ? "noPlugins" : "pluginsOff"));
    const body = table(box, PLUGINS, t("plugins"), t).tBodies[0];
    attr(body.parentElement, "hidden", all.length ? null : "");
    keyed(body, all, (one) => one.name, () => {
        const line = row(PLUGINS);
        line.cells[0].append(el("span", { class: "name" }), el("span", { class: "why" }));
        line.cells[1].append(el("span", { class: "state" }));
        return line;
    }, (line, one) => {
        attr(line, "data-state", one.fails ? "bad" : one.state === "left" ? "warn" : one.last_run ? "ok" : null);
        text(line.cells[0].children[0], one.name);
        text(line.cells[0].children[1], pluginReason(one));
        text(line.cells[1].firstChild, one.state === "waiting" && one.last_run ? t(one.fails ? "failed" : "good") : t("plugin." + one.state));
        text(line.cells[2], one.last_run ? ago(now() - one.last_run) : t("notRun"));
        text(line.cells[3], isThere(one.duration_ms) ? ms(one.duration_ms) : "");
        text(line.cells[4], number(one.items || 0));
    });
}

const SOURCES = [["", "source"], ["s", "state"], ["n", "lastRun"], ["n extra", "took"], ["n extra", "points"]];
const ORDER = ["failed", "hung", "ok", "waiting", "absent"];
const LIGHTS = { ok: "ok", failed: "bad", hung: "bad" };

export function showSources() {
    const box = $("sources");
    const idle = (one) => one.state === "absent" && !one.problems.length && !one.remarks.length;
    const idlers = world.state.sources.filter(idle).map((one) => one.name);
    const all = world.state.sources.filter((one) => !idle(one)).sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || (a.name < b.name ? -1 : 1));
    sentence(box, idlers.length ? t("source.absent", idlers.join(", ")) : all.length ? null : t("noSources"));
    const body = table(box, SOURCES, t("sources"), t).tBodies[0];
    // Behind the table.
    const last = box.querySelector(".empty");
    if (last && last !== box.lastElementChild) box.append(last);
    attr(body.parentElement, "hidden", all.length ? null : "");
    keyed(body, all, (one) => one.name, () => {
        const line = row(SOURCES);
        line.cells[0].append(el("span", { class: "name" }), el("span", { class: "why" }));
        line.cells[1].append(el("span", { class: "state" }));
        return line;
    }, (line, one) => {
        attr(line, "data-state", LIGHTS[one.state] || "none");
        text(line.cells[0].children[0], one.name);
        const notes = [...one.problems, ...one.remarks].map(([what, why]) => what + t("point") + why);
        if (one.more) notes.push(t("more", number(one.more)));
        text(line.cells[0].children[1], notes.join(t("comma")));
        text(line.cells[1].firstChild, one.state === "absent" ? "–" : t("source." + one.state));
        text(line.cells[2], one.last ? ago(now() - one.last) : "");
        text(line.cells[3], isThere(one.ms) ? ms(one.ms) : "");
        text(line.cells[4], one.points ? number(one.points) : "");
    });
}
