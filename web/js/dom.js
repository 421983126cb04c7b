// Elements. What comes from outside is put in as text, never as markup; what has not changed is left alone.

export const $ = (id) => document.getElementById(id);

export const isThere = (value) => value !== null && value !== undefined;

export function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
        if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
        else if (isThere(value) && value !== false) node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.filter(isThere));
    return node;
}

export function text(node, value) {
    if (node.textContent !== value) node.textContent = value;
}

export function attr(node, name, value) {
    if (!isThere(value) || value === false) {
        if (node.hasAttribute(name)) node.removeAttribute(name);
    } else if (node.getAttribute(name) !== String(value)) {
        node.setAttribute(name, value);
    }
}

/// Makes the children of `parent` those of `items`, in their order; the child of a key stays the same element.
export function keyed(parent, items, key, make, update) {
    const had = parent.children_ || new Map();
    const has = new Map();
    const held = document.activeElement;
    const wanted = new Set(items.map(key));
    for (const [name, child] of had) if (!wanted.has(name)) child.remove();
    let next = parent.firstElementChild;
    for (const item of items) {
        const name = key(item);
        if (has.has(name)) continue;
        let child = had.get(name);
        if (!child) child = make(item);
        update(child, item);
        has.set(name, child);
        if (child === next) next = next.nextElementSibling;
        else parent.insertBefore(child, next);
    }
    parent.children_ = has;
    // Who is moved loses the focus.
    if (held !== document.activeElement && parent.contains(held)) held.focus({ preventScroll: true });
}

/// Where a list would be empty, a sentence.
export function sentence(parent, what) {
    let node = parent.querySelector(":scope > .empty");
    if (!what) {
        if (node) node.remove();
        return;
    }
    if (!node) parent.append((node = el("p", { class: "empty" })));
    text(node, what);
}

/// A table below `parent`, made once: `columns` are [class, key of its title].
export function table(parent, columns, title, t) {
    let node = parent.querySelector(":scope > table");
    if (!node) {
        node = el("table", null, el("caption", { class: "hidden" }), el("thead", null, el("tr")), el("tbody"));
        parent.append(node);
    }
    text(node.caption, title);
    const head = node.tHead.rows[0];
    keyed(head, columns, (column) => column[1], (column) => el("th", { scope: "col", class: column[0] }), (cell, column) => text(cell, t(column[1])));
    return node;
}

/// A row of cells; the first is the head of the row.
export function row(columns) {
    return el("tr", null, ...columns.map((column, at) => el(at ? "td" : "th", { class: column[0], scope: at ? null : "row" })));
}
