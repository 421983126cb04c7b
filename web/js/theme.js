// Before the first paint, in any browser: no syntax of today.
(function () {
    var root = document.documentElement;
    // What the page uses and browsers before 2020 lack.
    if (!("replaceChildren" in root)) root.setAttribute("data-old", "");
    var chosen = null;
    try {
        chosen = localStorage.getItem("falcon-theme");
    } catch (_) {
        // Storage is off: the system's choice.
    }
    var dark = window.matchMedia && window.matchMedia("(prefers-color-scheme: dark)").matches;
    root.setAttribute("data-theme", chosen || (dark ? "dark" : "light"));
})();
