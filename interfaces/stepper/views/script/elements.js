// Builds elements. Every text is set as text; the only markup is the SVG that turngraph drew.
export function make(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name in node) node[name] = value;
    else if (value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

export const button = (label, props, act) => make("button", { type: "button", onclick: act, ...props }, label);

export const picture = (svg) => document.importNode(new DOMParser().parseFromString(svg, "image/svg+xml").documentElement, true);

export const options = (...groups) => groups.filter(([, names]) => names.length).map(([label, names, said = (name) => name]) =>
  make("optgroup", { label }, names.map((name) => make("option", { value: name, textContent: said(name) }))));

// A field with its label, its buttons (each a label, an action, what it does, and a title that says so), and the place for an error message about it.
export function field(key, label, value, tall, ...buttons) {
  const id = `ts-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const area = make("textarea", { id, spellcheck: false, className: tall ? "ts-tall" : "", "data-key": key });
  area.value = area.defaultValue = value;
  const error = make("p", { className: "ts-error", role: "alert", id: `${id}-error`, "data-field": key });
  area.setAttribute("aria-describedby", error.id);
  const made = buttons.map(([name, action, act, title]) =>
    button(name, { title, "data-action": action, "data-key": `${key} ${action}` }, () => { area.dataset.used = area.value; act(area); }));
  // Below a long text the buttons would be out of sight.
  const parts = tall ? [make("div", { className: "ts-bar ts-use" }, made), area, error] : [area, error, ...made];
  return make("div", {}, make("label", { htmlFor: id, textContent: label }), parts);
}

export const foldout = (key, title, open, ...children) =>
  make("details", { open, "data-key": key }, make("summary", {}, title), make("div", {}, ...children));

// A name such as `request.extra_body.user`, which breaks between its parts and not inside a word.
const breakable = (name) => make("span", { className: "ts-name" },
  name.split(/(?<=[._/\]])/).flatMap((part, n) => n ? [make("wbr"), part] : [part]));

export function table(pane) {
  const isName = (n) => ["tool", "task"].includes(pane.head[n]);
  const cells = (row) => row.map((cell, n) => n ? make("td", {}, isName(n) ? breakable(cell) : cell) : make("th", { scope: "row" }, breakable(cell)));
  return make("table", {},
    make("thead", {}, make("tr", {}, pane.head.map((cell) => make("th", { scope: "col" }, cell)))),
    make("tbody", {}, pane.rows.map((row) => make("tr", { "data-mark": row[0].startsWith("✗") ? "failed" : undefined }, cells(row)))));
}
