// Starts the page: three questions to the agent, and then what changes.

import { get, poll } from "./api.js";
import { recolour } from "./charts.js";
import { showChecks, showPlugins, showSources } from "./checks.js";
import { $, attr, text } from "./dom.js";
import { showHealth, showLog, showTiles } from "./health.js";
import { showIdentity, showServices, showTop, showVolumes } from "./host.js";
import { lang, preferred, speak, stored, t } from "./i18n.js";
import { drawAll, fromSeries, ranges, remember, spans, watch } from "./live.js";
import { listen, showSeries } from "./series.js";
import { take, world } from "./store.js";

function showState() {
    showHealth();
    if (!world.state) return;
    showIdentity();
    showTiles();
    showLog();
    showPlugins();
    showSources();
    spans();
}

function showValues() {
    if (!world.state) return;
    showVolumes();
    showTop();
    showChecks();
    showServices();
    showSeries();
}

let failed = 0;

/// What a question came to: whether the agent is there.
function heard(error) {
    if (error) {
        failed += 1;
        world.refused = error.status === 401 || error.status === 403 ? error.status : 0;
        // Once may be a restart of its server.
        if (!error.status && failed > 1 && !world.gone) world.gone = Date.now() / 1000;
        showHealth();
        return false;
    }
    failed = 0;
    world.gone = world.refused = 0;
    return true;
}

function theme(chosen) {
    attr(document.documentElement, "data-theme", chosen);
    text($("theme"), t(chosen === "dark" ? "light" : "dark"));
    recolour();
}

function dress() {
    speak(lang());
    text($("lang"), t("other"));
    attr($("lang"), "lang", lang() === "en" ? "zh-CN" : "en");
    theme(document.documentElement.dataset.theme);
    ranges();
}

function switches() {
    $("lang").addEventListener("click", () => {
        const chosen = lang() === "en" ? "zh-CN" : "en";
        stored("lang", chosen);
        speak(chosen);
        dress();
        showState();
        showValues();
        if (world.state) drawAll();
    });
    $("theme").addEventListener("click", () => {
        const chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
        stored("theme", chosen);
        theme(chosen);
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
        if (!stored("theme")) theme(event.matches ? "dark" : "light");
    });
}

async function start() {
    speak(preferred());
    dress();
    switches();
    listen();
    try {
        const [state, series] = await Promise.all([get("state"), get("series")]);
        world.state = state;
        world.ahead = state.now - Date.now() / 1000;
        take(series);
        await remember();
    } catch (error) {
        failed = 1;
        heard(error);
        setTimeout(start.again, 2000);
        return;
    }
    showState();
    showValues();
    attr(document.body, "data-ready", "1");
    follow();
}

start.again = async () => {
    try {
        await get("state");
        location.reload();
    } catch (error) {
        heard(error);
        setTimeout(start.again, 2000);
    }
};

function follow() {
    let first = true;
    const askState = poll("state", (error, state) => {
        if (heard(error)) {
            world.state = state;
            showState();
            return 3000;
        }
        return error.status ? 5000 : 1000;
    });
    poll("series", (error, series) => {
        if (heard(error)) {
            take(series);
            if (!first) fromSeries();
            first = false;
            showValues();
        }
        return world.list.length > 2000 ? 20000 : 5000;
    });
    let up;
    watch((live) => {
        // The stream ended, or the transfer came or went: what is wrong is asked for at once.
        if (!live || (up !== undefined && live.up !== up)) askState();
        if (live) {
            up = live.up;
            if (live.top) showTop();
        }
    });
}

start();
