// Figures as people read them: [number, unit].

import { lang, t } from "./i18n.js";
import { now } from "./store.js";

const formats = new Map();

export function number(value, digits = 0) {
    const key = lang() + digits;
    if (!formats.has(key)) {
        formats.set(key, new Intl.NumberFormat(lang(), { minimumFractionDigits: 0, maximumFractionDigits: digits }));
    }
    return formats.get(key).format(value);
}

function fixed(value, digits) {
    const key = lang() + "=" + digits;
    if (!formats.has(key)) {
        formats.set(key, new Intl.NumberFormat(lang(), { minimumFractionDigits: digits, maximumFractionDigits: digits }));
    }
    return formats.get(key).format(value);
}

/// Three digits that matter.
function scaled(value, base, units) {
    let at = 0;
    let left = Math.abs(value);
    while (left >= base * 0.9995 && at < units.length - 1) {
        left /= base;
        at += 1;
    }
    const digits = at === 0 && Number.isInteger(value) ? 0 : left < 9.995 ? 2 : left < 99.95 ? 1 : 0;
    return [fixed(Math.sign(value) * left, at === 0 && left < 0.005 ? 0 : digits), units[at]];
}

const BYTES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const BITS = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];

export const bytes = (value) => scaled(value, 1024, BYTES);
export const rate = (value) => scaled(value, 1024, BYTES.map((unit) => unit + "/s"));
export const bits = (value) => scaled(value, 1000, BITS);
export const percent = (value) => [value < 9.95 && value > 0 ? fixed(value, 1) : fixed(value, 0), "%"];
export const join = (parts) => (parts[1] ? parts[0] + "\u00a0" + parts[1] : parts[0]);

/// Two units at most: 2 h 13 min.
export function duration(seconds) {
    const s = Math.max(0, Math.round(seconds));
    const words = t("units").split(",");
    const parts = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60, s % 60];
    const first = parts.findIndex((part) => part > 0);
    if (first < 0) return "0\u00a0" + words[3];
    const shown = [];
    for (let at = first; at < Math.min(first + 2, 4); at += 1) {
        if (parts[at] > 0) shown.push(parts[at] + "\u00a0" + words[at]);
    }
    return shown.join(" ");
}

export const ago = (seconds) => (seconds < 2 ? t("justNow") : t("ago", duration(seconds)));

const pad = (value) => String(value).padStart(2, "0");

export function clock(unix, seconds = true) {
    const at = new Date(unix * 1000);
    return pad(at.getHours()) + ":" + pad(at.getMinutes()) + (seconds ? ":" + pad(at.getSeconds()) : "");
}

export function date(unix) {
    const at = new Date(unix * 1000);
    return at.getFullYear() + "-" + pad(at.getMonth() + 1) + "-" + pad(at.getDate());
}

/// Of the browser, in which all times are told.
export function zone() {
    const minutes = -new Date().getTimezoneOffset();
    const [size, sign] = [Math.abs(minutes), minutes < 0 ? "-" : "+"];
    return "UTC" + sign + pad(Math.floor(size / 60)) + ":" + pad(size % 60);
}

export const moment = (unix) => (now() - unix > 64800 ? date(unix) + " " : "") + clock(unix);

/// A value of this declared unit.
export function value(amount, unit) {
    switch (unit) {
        case "B":
            return bytes(amount);
        case "KB":
            return bytes(amount * 1024);
        case "MiB":
            return bytes(amount * 1048576);
        case "B/s":
            return rate(amount);
        case "bit/s":
            return bits(amount);
        case "%":
            return [number(amount, 2), "%"];
        case "s":
            return Math.abs(amount) >= 120 ? [(amount < 0 ? "-" : "") + duration(Math.abs(amount)), ""] : [number(amount, 3), "s"];
        case "1":
        case "":
        case undefined:
            return [number(amount, 3), ""];
        default:
            return [number(amount, 3), unit];
    }
}

/// The same of a counter's rate.
export function perSecond(amount, unit) {
    if (unit === "B") return rate(amount);
    if (unit === "bit") return bits(amount);
    if (unit === "0.1 Mbit") return bits(amount * 1e5);
    if (unit === "%") return [number(amount, 2), "%"];
    return [number(amount, Math.abs(amount) < 10 ? 2 : 1), (unit && unit !== "1" ? unit : "") + "/s"];
}
