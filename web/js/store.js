// What the agent told last: its state, and every series.

export const world = {
    state: null,
    /// Unix s: since when it does not answer; 0: it answers.
    gone: 0,
    /// The error it answers with instead.
    status: 0,
    /// The newest event of the stream; `null`: there is no stream.
    live: null,
    top: [],
    topAt: 0,
    /// Checks that fail.
    failing: 0,
    list: [],
    metrics: {},
    names: new Map(),
    /// Seconds that the agent's clock is ahead of the browser's.
    ahead: 0,
};

let before = new Map();

export const now = () => Date.now() / 1000 + world.ahead;

export function tagsOf(text) {
    const tags = {};
    for (const pair of text ? text.split(",") : []) {
        const at = pair.indexOf("=");
        if (at > 0) tags[pair.slice(0, at)] = pair.slice(at + 1);
    }
    return tags;
}

/// Another agent, or the same one started again, gives the numbers anew.
export const same = (a, b) => a.metric === b.metric && a.tags === b.tags && a.from === b.from;

/// A counter per second, unless it began anew, or nobody looked for long: the mean of a day is not of now.
export function rateOf(last, one) {
    const [passed, grown] = [one.at - last.at, one.value - last.value];
    return passed > 0 && passed <= 3 * Math.max(one.step, 10) && (grown >= 0 || one.type === "DERIVE") ? grown / passed : null;
}

/// Takes the answer of /ui/series. A counter's rate is known from its second value on.
export function take(answer) {
    world.metrics = answer.metrics;
    world.names = new Map();
    world.list = answer.series.map(([id, metric, tags, value, type, at, step, from]) => {
        const one = { id, metric, tags, value, type, at, step, from, rate: null, asked: false };
        const last = before.get(id);
        if (last && same(last, one)) {
            one.asked = last.asked;
            if (type !== "GAUGE") one.rate = last.at === at ? last.rate : rateOf(last, one);
        }
        if (from === "" || from === "plugin") {
            const same = world.names.get(metric);
            if (same) same.push(one);
            else world.names.set(metric, [one]);
        }
        return one;
    });
    before = new Map(world.list.map((one) => [one.id, one]));
}

/// A rate that history tells, until there are two values.
export function seed(id, times, values) {
    const one = before.get(id);
    const end = times.length - 1;
    if (!one || one.rate !== null || end < 1) return;
    one.rate = rateOf({ at: times[end - 1], value: values[end - 1] }, { ...one, at: times[end], value: values[end] });
}

export const of = (metric) => (world.names.get(metric) || []).filter((one) => one.from === "");

export function value(metric) {
    const [one] = of(metric);
    return one ? one.value : null;
}

export const isStale = (one) => now() - one.at > 3 * Math.max(one.step, 10) + 15;
