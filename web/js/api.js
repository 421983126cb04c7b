// What the agent is asked, and whether it answers.

export async function get(path) {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), 10000);
    try {
        const answer = await fetch("ui/" + path, { signal: limit.signal, cache: "no-store", headers: { Accept: "application/json" } });
        if (!answer.ok) {
            const error = new Error(String(answer.status));
            error.status = answer.status;
            throw error;
        }
        return await answer.json();
    } finally {
        clearTimeout(timer);
    }
}

/// Asks again and again while somebody looks. `after` is told how it went, and says after how many ms the next is; 0: never.
export function poll(path, after, first) {
    let timer = setTimeout(once, first);
    let running = false;
    async function once() {
        clearTimeout(timer);
        if (running || document.hidden) return;
        running = true;
        const [error, answer] = await get(path).then((answer) => [null, answer], (error) => [error, null]);
        let pause = 5000;
        try {
            pause = after(error, answer);
        } finally {
            running = !pause;
            if (pause) timer = setTimeout(once, pause);
        }
    }
    document.addEventListener("visibilitychange", once);
    return once;
}
