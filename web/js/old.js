// For browsers without modules, which run this alone: no syntax of today.
document.onreadystatechange = function () {
    var old = document.getElementById("old");
    if (old) old.removeAttribute("hidden");
};
