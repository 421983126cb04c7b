// Before the first paint, so that nothing flashes: light or dark, as chosen here or else as the system has it.
(function () {
    var chosen = null;
    try {
        chosen = localStorage.getItem("falcon-theme");
    } catch (_) {
        // Storage is off: the system's choice.
    }
    var dark = window.matchMedia && window.matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.setAttribute("data-theme", chosen || (dark ? "dark" : "light"));
})();
