// English or Chinese: as chosen here, or else as the browser has it.

import { text, attr } from "./dom.js";
import { WORDS } from "./words.js";

let at = 0;

export function stored(name, value) {
    try {
        if (value === undefined) return localStorage.getItem("falcon-" + name);
        localStorage.setItem("falcon-" + name, value);
    } catch (_) {
        // Storage is off: the choice holds until the page is left.
    }
    return null;
}

export const lang = () => (at ? "zh-CN" : "en");

/// What turns the direction of writing does so no further than where it stands: not here.
export const upright = (text) => String(text).replace(/[\u202a-\u202e\u2066-\u2069]/g, "\ufffd");

export function t(key, ...filled) {
    const words = WORDS[key];
    return words ? words[at].replace(/\{(\d)\}/g, (_, n) => upright(filled[n])) : key;
}

export function speak(chosen) {
    at = chosen.startsWith("zh") ? 1 : 0;
    document.documentElement.lang = lang();
    for (const node of document.querySelectorAll("[data-t]")) text(node, t(node.dataset.t));
    for (const node of document.querySelectorAll("[data-t-label]")) attr(node, "aria-label", t(node.dataset.tLabel));
    for (const node of document.querySelectorAll("[data-t-ph]")) attr(node, "placeholder", t(node.dataset.tPh));
}

export const preferred = () => stored("lang") || navigator.language || "en";
