// Everything from outside is set as text; the only markup is the pictures that Python drew.
const KEYS = [
  ["back", "b", "Back"], ["step", "s", "Step"], ["step_into", "i", "Into"], ["step_over", "o", "Over"],
  ["run", "r", "Run"], ["retry", "t", "Retry"],
];

function make(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name in node) node[name] = value;
    else if (value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null));
  return node;
}

const button = (label, props, act) => {
  const made = make("button", { type: "button", ...props }, label);
  made.addEventListener("click", act);
  return made;
};

function picture(svg) {
  return document.importNode(new DOMParser().parseFromString(svg, "image/svg+xml").documentElement, true);
}

function options(...groups) {
  return groups.map(([label, names]) =>
    make("optgroup", { label }, names.map((name) => make("option", { value: name, textContent: name }))));
}

// A field, its label, its buttons, and the place where a refusal is told.
function field(key, label, value, tall, ...buttons) {
  const id = `ts-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const area = make("textarea", { id, spellcheck: false, className: tall ? "ts-tall" : "" });
  area.value = area.defaultValue = value;
  area.dataset.key = key;
  const error = make("p", { className: "ts-error", role: "alert", id: `${id}-error` });
  error.dataset.about = key;
  area.setAttribute("aria-describedby", error.id);
  const made = make("div", {}, make("label", { htmlFor: id, textContent: label }), area, error);
  made.append(...buttons.map(([name, action, act]) =>
    button(name, { "data-action": action, "data-key": `${key} ${action}` }, () => act(area))));
  return made;
}

function table(pane) {
  const cells = (row) => row.map((cell, n) => n ? make("td", {}, cell) : make("th", { scope: "row", title: cell }, cell));
  return make("table", {},
    make("thead", {}, make("tr", {}, pane.head.map((cell) => make("th", { scope: "col" }, cell)))),
    make("tbody", {}, pane.rows.map((row) => make("tr", {}, cells(row)))));
}

function content(pane) {
  if (pane.pictures.length) return pane.pictures.map((svg) => make("div", { className: "ts-picture" }, picture(svg)));
  if (pane.rows.length) return [table(pane)];
  return pane.text ? [make("pre", {}, pane.text)] : [];
}

// What a pane holds beside its content: fields to edit with, and choices.
function tools(name, view, choices, send) {
  if (name === "request" && view.body)
    return [field("request", "The pending request: the very JSON that will be sent", view.body, true,
      ["Send this instead", "edit", (area) => send("edit", { body: area.value, about: "request" })])];
  if (name === "tools") return view.calls.map((call) => editedCall(call, send));
  if (name === "problem") return view.questions.map((question, n, all) => askedPerson(question, all.length > 1, send));
  if (name === "breakpoints") return breakpoints(view, choices, send);
  if (name === "compare") return view.lines.length > 1 ? [comparison(view, send)] : [];
  if (name === "timeline") return [steps(view, send)];
  return [];
}

function editedCall(call, send) {
  const key = `tool ${call.id}`;
  const fields = [];
  const result = (label) => [label, "result", (area) =>
    send("result", { tool: call.id, value: area.value, about: `${key} result` })];
  if (call.arguments !== null) {
    fields.push(field(key, "arguments", call.arguments, false, ["Call it with these", "arguments", (area) =>
      send("arguments", { tool: call.id, value: area.value, about: key })]));
    fields.push(field(`${key} result`, "or what it is to have answered", "", false, result("Answer for it")));
  } else fields.push(field(`${key} result`, "result", call.result, false, result("Tell this instead")));
  const ran = call.arguments === null;
  const title = `${ran ? "edit the result" : "edit the call"}: ${call.name} (${call.id})`;
  return make("details", { open: !ran, "data-key": `edit ${call.id}` }, make("summary", {}, title), make("div", {}, fields));
}

function askedPerson(question, oneOfMany, send) {
  const key = `question ${question.id}`;
  const answer = (value) => send("answer", { question: question.id, value, about: key });
  const decide = ["approve", "reject"].map((decision) =>
    button(decision, { "data-action": decision, "data-key": `${key} ${decision}` },
      () => answer(JSON.stringify({ decision }))));
  const draft = question.approval ? '{"decision": "edit", "arguments": {}}' : "";
  return make("fieldset", {}, make("legend", {}, "a person is asked"),
    oneOfMany ? make("pre", {}, question.text) : null,
    question.approval ? make("div", { className: "ts-bar" }, decide) : null,
    field(key, "another answer, as JSON", draft, false, ["Answer", "answer", (area) => answer(area.value)]));
}

function breakpoints(view, choices, send) {
  const reason = make("select", { "aria-label": "Stop at", "data-key": "reason" }, options(["stop at", choices.reasons]));
  const value = make("input", { type: "text", "aria-label": "Of this name or value", "data-key": "value" });
  const add = () => send("break", { reason: reason.value, value: value.value, about: "breakpoints" });
  value.addEventListener("keydown", (event) => event.key === "Enter" && add());
  const error = make("p", { className: "ts-error", role: "alert", "data-about": "breakpoints" });
  const known = view.breakpoints.map((text, place) => make("li", {}, `${text} `,
    button("remove", { "aria-label": `remove ${text}`, "data-action": "unbreak", "data-key": `unbreak ${place}` },
      () => send("unbreak", { place, about: "breakpoints" }))));
  return [make("ul", {}, known), make("div", { className: "ts-bar" }, reason, value,
    button("Add", { "data-action": "break", "data-key": "break" }, add)), error];
}

function comparison(view, send) {
  const others = view.lines.filter((name) => name !== view.line);
  const other = make("select", { "aria-label": "Compare with", "data-key": "compared" },
    options(["compare with", others]));
  if (others.includes(view.compared)) other.value = view.compared;
  other.addEventListener("change", () => send("compare", { name: other.value }));
  return make("div", { className: "ts-bar" }, other);
}

function steps(view, send) {
  return make("ol", { className: "ts-steps" }, view.steps.map((text, step) => make("li", {},
    button(text, { "data-key": `step ${step}`, "aria-current": step === view.place ? "step" : undefined },
      () => send("jump", { step })))));
}

// What decides whether a pane is made anew: typed text and the place in a list outlive a step that leaves it as it is.
function signature(name, view) {
  const pane = view.panes[name];
  const more = {
    request: view.body, tools: view.calls, problem: view.questions, breakpoints: view.breakpoints,
    compare: [view.lines, view.line, view.compared], timeline: [view.steps, view.place],
  };
  return JSON.stringify([pane, more[name]]);
}

function focused(root) {
  const at = root.getRootNode().activeElement;
  return at && root.contains(at) ? at : null;
}

// Fields that are made anew keep what was typed, and the focus stays where it was.
function renewed(root, details, children) {
  const at = focused(root);
  const key = at && details.contains(at) ? at.dataset.key ?? "" : null;
  const typed = new Map([...details.querySelectorAll("textarea")].map((area) => [area.dataset.key, area]));
  const opened = new Map([...details.querySelectorAll("details")].map((each) => [each.dataset.key, each.open]));
  const held = details.lastChild;
  const scrolled = held.hasChildNodes() ? held.scrollTop : 0; // asking makes the browser lay everything out
  held.replaceChildren(...children);
  if (scrolled) held.scrollTop = scrolled;
  for (const area of details.querySelectorAll("textarea")) {
    const before = typed.get(area.dataset.key);
    if (before && before.defaultValue === area.defaultValue) area.value = before.value;
  }
  for (const each of details.querySelectorAll("details")) each.open = opened.get(each.dataset.key) ?? each.open;
  if (key === null) return;
  const same = [...details.querySelectorAll("[data-key]")].find((node) => node.dataset.key === key);
  (same ?? details.querySelector("summary")).focus({ preventScroll: true });
}

function render({ model, el }) {
  const choices = model.get("choices");
  const root = make("div", { className: "turnstepper", tabIndex: 0, role: "region", "aria-label": "Turn stepper" });
  root.setAttribute("data-lm-suppress-shortcuts", "true"); // or JupyterLab takes b for a new cell below
  const where = make("p", { className: "ts-where", role: "status" });
  const problem = make("p", { className: "ts-problem", role: "alert" });
  const lines = make("div", { className: "ts-bar", role: "group", "aria-label": "Lines" });
  const slider = make("input", { type: "range", min: 0, step: 1, "aria-label": "Timeline" });
  const graph = make("div", { className: "ts-graph" });
  const panes = make("div", { className: "ts-panes" });
  const open = new Set(choices.open);
  let sent = 0; // the number of the last move that was asked for here; the view says which was served
  let wanted = null; // the step the timeline was dragged to, while another move is under way

  const send = (action, extra = {}) => {
    sent = Math.max(sent, model.get("view").served) + 1;
    setTimeout(() => where.setAttribute("aria-busy", String(model.get("view").served < sent)), 150);
    model.send({ action, ...extra });
  };
  const bar = make("div", { className: "ts-bar", role: "toolbar", "aria-label": "Walk" });
  const until = make("select", { "aria-label": "Run until" },
    options(["before node", choices.nodes], ["after event", choices.events]));
  const name = make("input", { type: "text", placeholder: "name of a fork", "aria-label": "Name of a fork", size: 12 });
  const run = () => send("until", { until: until.value });
  const fork = () => { send("fork", { name: name.value.trim() }); name.value = ""; };
  name.addEventListener("keydown", (event) => event.key === "Enter" && fork());
  const act = { u: run, f: fork };
  const keyed = (label, key, action, press) => {
    const props = { title: `${label} (${key})`, "aria-keyshortcuts": key, "data-action": action };
    act[key] = press;
    return button([label, make("kbd", { "aria-hidden": "true" }, key)], props, press);
  };
  bar.append(...KEYS.map(([action, key, label]) => keyed(label, key, action, () => send(action))),
    keyed("Until", "u", "until", run), until, keyed("Fork", "f", "fork", fork), name);
  until.value = choices.nodes.find((node) => /(^|\/)call_llm$/.test(node)) ?? choices.nodes[0];
  slider.addEventListener("input", () => {
    wanted = Number(slider.value);
    if (model.get("view").served >= sent) send("jump", { step: wanted });
  });
  root.append(make("style", { textContent: model.get("css") + hidden(choices.page) }), where, bar, lines, slider, problem,
    make("div", { className: "ts-body" }, graph, panes));

  const pane = (name) => {
    let details = [...panes.children].find((each) => each.dataset.pane === name);
    if (!details) {
      details = make("details", { open: open.has(name), "data-pane": name },
        make("summary", {}, name, " ", make("small", {})), make("div", {}));
      panes.append(details);
    }
    return details;
  };
  const drawPane = (name, view) => {
    const details = pane(name);
    const shown = view.panes[name] ?? { note: `${view.steps.length}`, rows: [], text: "", pictures: [] };
    const now = signature(name, view);
    if (details.shown === now) return;
    details.shown = now;
    details.querySelector("small").textContent = shown.note;
    const editable = tools(name, view, choices, send);
    const replaced = (name === "request" && editable.length) || name === "breakpoints";
    const children = [...(replaced ? [] : content(shown)), ...editable];
    renewed(root, details, name === "compare" ? children.reverse() : children);
    details.hidden = children.length === 0;
  };
  const tell = (view) => {
    const about = view.refused.about ?? "";
    const text = view.refused.text ?? "";
    const beside = [...root.querySelectorAll("[data-about]")].filter((each) => each.dataset.about === about);
    for (const each of root.querySelectorAll("[data-about]")) each.textContent = beside.includes(each) ? text : "";
    for (const area of root.querySelectorAll("textarea"))
      area.setAttribute("aria-invalid", String(text !== "" && area.dataset.key === about));
    problem.textContent = beside.length ? "" : text;
  };
  const draw = () => {
    const view = model.get("view");
    where.textContent = view.where;
    where.setAttribute("aria-busy", String(view.served < sent));
    lines.replaceChildren(...(view.lines.length > 1 ? view.lines : []).map((line) =>
      button(line, { "aria-pressed": String(line === view.line), "data-line": line }, () => send("line", { name: line }))));
    slider.max = view.steps.length - 1;
    if (view.served >= sent && wanted !== null && wanted !== view.place) send("jump", { step: wanted });
    else if (view.served >= sent) { wanted = null; slider.value = view.place; }
    slider.setAttribute("aria-valuetext", view.steps[view.place]);
    graph.replaceChildren(view.graph ? make("p", {}, `in ${view.graph}`) : "", picture(view.svg));
    for (const name of [...Object.keys(view.panes), "timeline"]) drawPane(name, view);
    tell(view);
  };
  panes.addEventListener("toggle", (event) => {
    const name = event.target.dataset.pane;
    if (name === undefined) return;
    if (event.target.open) open.add(name); else open.delete(name);
  }, true);
  root.addEventListener("keydown", (event) => {
    const types = event.target.matches("textarea, select, input:not([type=range])");
    if (types || event.ctrlKey || event.metaKey || event.altKey || !(event.key in act)) return;
    event.preventDefault();
    event.stopPropagation();
    act[event.key]();
  });
  model.on("change:view", draw);
  el.append(root);
  draw();
  return () => model.off("change:view", draw);
}

// The page that is saved beside the widget is for readers without a kernel.
function hidden(page) {
  return `[data-saved="${CSS.escape(page)}"] { display: none }`;
}

export default { render };
