// Text from a model, a tool or a server is set as text. The only markup is the SVG that turngraph drew.
const KEYS = [
  ["back", "b", "Back"], ["step", "s", "Step"], ["step_into", "i", "Into"], ["step_over", "o", "Over"],
  ["run", "r", "Run"], ["retry", "t", "Retry"], ["undo", "z", "Undo"], ["redo", "y", "Redo"],
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

const button = (label, props, act) => make("button", { type: "button", onclick: act, ...props }, label);

const picture = (svg) => document.importNode(new DOMParser().parseFromString(svg, "image/svg+xml").documentElement, true);

const options = (...groups) => groups.map(([label, names]) =>
  make("optgroup", { label }, names.map((name) => make("option", { value: name, textContent: name }))));

// A field with its label, its buttons, and the place for an error message about it.
function field(key, label, value, tall, ...buttons) {
  const id = `ts-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const area = make("textarea", { id, spellcheck: false, className: tall ? "ts-tall" : "", "data-key": key });
  area.value = area.defaultValue = value;
  const error = make("p", { className: "ts-error", role: "alert", id: `${id}-error`, "data-field": key });
  area.setAttribute("aria-describedby", error.id);
  return make("div", {}, make("label", { htmlFor: id, textContent: label }), area, error, buttons.map(([name, action, act]) =>
    button(name, { "data-action": action, "data-key": `${key} ${action}` }, () => act(area))));
}

const foldout = (key, title, open, ...children) =>
  make("details", { open, "data-key": key }, make("summary", {}, title), make("div", {}, ...children));

function table(pane) {
  const cells = (row) => row.map((cell, n) => n ? make("td", {}, cell) : make("th", { scope: "row", title: cell }, cell));
  return make("table", {},
    make("thead", {}, make("tr", {}, pane.head.map((cell) => make("th", { scope: "col" }, cell)))),
    make("tbody", {}, pane.rows.map((row) => make("tr", { "data-mark": row[0].startsWith("✗") ? "failed" : undefined }, cells(row)))));
}

function content(pane) {
  if (pane.pictures.length) return pane.pictures.map((svg) => make("div", { className: "ts-picture" }, picture(svg)));
  return pane.rows.length ? [table(pane)] : pane.text ? [make("pre", {}, pane.text)] : [];
}

// The controls of a pane beside its content: fields and choices.
function controls(name, view, choices, send) {
  if (name === "request" && view.body)
    return [field("request", "The pending request: the very JSON that will be sent. A change holds for this one request.", view.body, true,
      ["Use for this request", "edit_request", (area) => send("edit_request", { body: area.value, field: "request" })]),
      view.turn && turnForm(view.turn, send)].filter(Boolean);
  if (name === "tools") return view.calls.map((call) => callForm(call, send));
  if (name === "state") return view.state.length ? [stateForm(view.state, send)] : [];
  if (name === "question") return view.questions.map((question, n, all) => questionForm(question, all.length > 1, send));
  if (name === "breakpoints") return breakpoints(view, choices, send);
  if (name === "compare") return view.lines.length > 1 ? [comparison(view, send)] : [];
  return name === "timeline" ? [steps(view, choices, send)] : [];
}

// What holds for the rest of the turn: this request and those that follow.
function turnForm(turn, send) {
  const use = (part, value) => send("edit_turn", { part, value, field: `turn ${part}` });
  const fields = turn.fields.map(({ part, label, value }) => field(`turn ${part}`, label, value, false,
    [`Use this ${label.split(",")[0]} for the rest of the turn`, `edit_turn ${part}`, (area) => use(part, area.value)]));
  const boxes = turn.tools.map(({ name, offered }) =>
    make("input", { type: "checkbox", checked: offered, value: name, "data-key": `turn tool ${name}` }));
  const tools = make("fieldset", {}, make("legend", {}, "tools"),
    boxes.map((box) => make("label", {}, box, ` ${box.value} `)),
    button("Offer these for the rest of the turn", { "data-action": "edit_turn tools", "data-key": "edit_turn tools" },
      () => use("tools", boxes.filter((box) => box.checked).map((box) => box.value))));
  return foldout("turn", "for the rest of the turn", false, fields, boxes.length ? tools : null);
}

function stateForm(fields, send) {
  const edits = fields.map(({ name, value }) => field(`state ${name}`, `${name}, as JSON`, value, false,
    [`Use this ${name}`, "edit_state", (area) => send("edit_state", { name, value: area.value, field: `state ${name}` })]));
  return foldout("state", "edit the state", false, edits);
}

function callForm({ id, name, arguments: given, result }, send) {
  const key = `tool ${id}`, ran = given === null;
  const ofResult = (label, text, use) => field(`${key} result`, label, text, false, [use, "edit_result", (area) =>
    send("edit_result", { tool: id, value: area.value, field: `${key} result` })]);
  const fields = ran ? [ofResult("result", result, "Use this instead")] : [
    field(key, "arguments", given, false, ["Call it with these", "edit_arguments", (area) =>
      send("edit_arguments", { tool: id, value: area.value, field: key })]),
    ofResult("or a result, without running it", "", "Use this result")];
  return foldout(`edit ${id}`, `${ran ? "edit the result" : "edit the call"}: ${name} (${id})`, !ran, fields);
}

function questionForm(question, oneOfMany, send) {
  const key = `question ${question.id}`;
  const answer = (value) => send("answer", { question: question.id, value, field: key });
  const decide = ["approve", "reject"].map((decision) => button(decision,
    { "data-action": decision, "data-key": `${key} ${decision}` }, () => answer(JSON.stringify({ decision }))));
  return make("fieldset", {}, make("legend", {}, "question to a person"),
    oneOfMany ? make("pre", {}, question.text) : null,
    question.approval ? make("div", { className: "ts-bar" }, decide) : null,
    field(key, "another answer, as JSON", question.draft, false, ["Answer", "answer", (area) => answer(area.value)]));
}

function breakpoints(view, choices, send) {
  const reason = make("select", { "aria-label": "Stop at", "data-key": "reason" }, options(["stop at", choices.reasons]));
  const value = make("input", { type: "text", "aria-label": "Name or value", "data-key": "value" });
  const add = () => send("add_breakpoint", { reason: reason.value, value: value.value, field: "breakpoints" });
  value.onkeydown = (event) => event.key === "Enter" && add();
  const error = make("p", { className: "ts-error", role: "alert", "data-field": "breakpoints" });
  const known = view.breakpoints.map((text, index) => make("li", {}, `${text} `, button("remove",
    { "aria-label": `remove ${text}`, "data-action": "remove_breakpoint", "data-key": `breakpoint ${index}` },
    () => send("remove_breakpoint", { index, field: "breakpoints" }))));
  const adding = button("Add", { "data-action": "add_breakpoint", "data-key": "add_breakpoint" }, add);
  return [make("ul", {}, known), make("div", { className: "ts-bar" }, reason, value, adding), error];
}

function comparison(view, send) {
  const others = view.lines.filter((name) => name !== view.line);
  const other = make("select", { "aria-label": "Compare with", "data-key": "compared" }, options(["compare with", others]));
  if (others.includes(view.compared)) other.value = view.compared;
  other.onchange = () => send("compare", { name: other.value });
  return make("div", { className: "ts-bar" }, other);
}

function steps(view, choices, send) {
  return make("ol", { className: "ts-steps" }, view.steps.map((text, step) => make("li", {},
    button(`${choices.signs[view.marks[step]]} ${text}`, { "data-key": `step ${step}`, "data-mark": view.marks[step],
      "aria-current": step === view.position ? "step" : undefined }, () => send("jump", { step })))));
}

// A pane is built again only if this changes: otherwise typed text and scroll positions would be lost at each step.
function signature(name, view) {
  const pane = view.panes[name];
  const more = {
    request: [view.body, view.turn], tools: view.calls, state: view.state, question: view.questions, breakpoints: view.breakpoints,
    compare: [view.lines, view.line, view.compared], timeline: [view.steps, view.marks, view.position],
  };
  return JSON.stringify([pane, more[name]]);
}

const focused = (root) => root.contains(root.getRootNode().activeElement) ? root.getRootNode().activeElement : null;

// Replaces the content of a pane; fields keep what was typed, and the focus stays where it was.
function replaceContent(root, details, children) {
  const at = focused(root), key = at && details.contains(at) ? at.dataset.key ?? "" : null;
  const typed = new Map([...details.querySelectorAll("textarea")].map((area) => [area.dataset.key, area]));
  const opened = new Map([...details.querySelectorAll("details")].map((each) => [each.dataset.key, each.open]));
  const body = details.lastChild, scrolled = body.querySelector(".ts-content")?.scrollTop; // reading it forces a layout
  body.replaceChildren(...children);
  if (scrolled) body.querySelector(".ts-content")?.scrollTo(0, scrolled);
  showCurrent(body);
  for (const area of details.querySelectorAll("textarea"))
    if (typed.get(area.dataset.key)?.defaultValue === area.defaultValue) area.value = typed.get(area.dataset.key).value;
  for (const each of details.querySelectorAll("details")) each.open = opened.get(each.dataset.key) ?? each.open;
  if (key === null) return;
  const same = [...details.querySelectorAll("[data-key]")].find((node) => node.dataset.key === key);
  (same ?? details.querySelector("summary")).focus({ preventScroll: true });
}

// A long timeline is scrolled to the step where the stepper stands.
function showCurrent(body) {
  const box = body.querySelector(".ts-content"), current = box?.querySelector("[aria-current=step]");
  const top = (node) => node.getBoundingClientRect().top;
  if (current) box.scrollTop += top(current) - top(box) - box.clientHeight / 2;
}

function render({ model, el }) {
  let choices = model.get("choices");
  const root = make("div", { className: "turnstepper", tabIndex: 0, role: "region", "aria-label": "Turn stepper" });
  root.setAttribute("data-lm-suppress-shortcuts", "true"); // else JupyterLab inserts a cell on the key b
  const headline = make("p", { className: "ts-headline", role: "status" });
  const problem = make("p", { className: "ts-problem", role: "alert" });
  const stop = make("p", { className: "ts-stop", role: "status" });
  const lines = make("div", { className: "ts-bar", role: "group", "aria-label": "Lines" });
  const slider = make("input", { type: "range", min: 0, step: 1, "aria-label": "Timeline" });
  const graph = make("div", { className: "ts-graph" });
  const panes = make("div", { className: "ts-panes" });
  const open = new Set(choices.open);
  let sent = 0; // the number of the last message sent; `view.handled` is the number of the last one handled
  let wanted = null; // the step that the timeline was dragged to while another move was under way

  const send = (action, extra = {}) => {
    sent = Math.max(sent, model.get("view").handled) + 1;
    setTimeout(() => headline.setAttribute("aria-busy", String(model.get("view").handled < sent)), 150);
    model.send({ action, ...extra });
  };
  const bar = make("div", { className: "ts-bar", role: "toolbar", "aria-label": "Moves" });
  const until = make("select", { "aria-label": "Run until" });
  const drawChoices = () => { // a graph that was loaded again may have other nodes
    choices = model.get("choices");
    const chosen = until.value, known = JSON.stringify(choices.nodes);
    if (until.dataset.known === known) return;
    until.dataset.known = known;
    until.replaceChildren(...options(["before node", choices.nodes], ["after event", choices.events]));
    until.value = chosen;
    until.value ||= choices.nodes.find((node) => /(^|\/)call_llm$/.test(node)) ?? choices.nodes[0];
  };
  const name = make("input", { type: "text", placeholder: "name of a fork", "aria-label": "Name of a fork", size: 12 });
  const runUntil = () => send("run_until", { until: until.value });
  const fork = () => { send("fork", { name: name.value.trim() }); name.value = ""; };
  name.addEventListener("keydown", (event) => event.key === "Enter" && fork());
  const file = make("input", { type: "text", value: "walk.json", "aria-label": "File of the walk", size: 10 });
  const act = {};
  const keyed = (label, key, action, press) => {
    const props = { "aria-keyshortcuts": key, "data-action": action, "data-label": `${label} (${key})` };
    const made = button([label, make("kbd", { "aria-hidden": "true" }, key)], props, press);
    act[key] = () => made.disabled || press();
    return made;
  };
  bar.append(...KEYS.map(([action, key, label]) => keyed(label, key, action, () => send(action))),
    keyed("Until", "u", "run_until", runUntil), until, keyed("Fork", "f", "fork", fork), name,
    ...(choices.files === false ? [] : [ // a page that is not on this machine names none of its files
      keyed("Save", "S", "save", () => send("save", { path: file.value })), file,
      button("Open", { "data-action": "open", "data-label": "Open" }, () => send("open", { path: file.value }))]));
  slider.addEventListener("input", () => {
    wanted = Number(slider.value);
    if (model.get("view").handled >= sent) send("jump", { step: wanted });
  });
  // The saved page is for readers without a kernel: while the widget lives, it is hidden.
  const hiding = `[data-saved="${CSS.escape(choices.page)}"] { display: none }`;
  const top = make("div", { className: "ts-top" }, headline, bar);
  new ResizeObserver(() => root.style.setProperty("--top", `${top.offsetHeight}px`)).observe(top); // both stick
  root.append(make("style", { nonce: choices.nonce ?? "", textContent: model.get("css") + hiding }), top, lines, slider,
    problem, stop, make("div", { className: "ts-body" }, graph, panes));

  const pane = (name) => [...panes.children].find((each) => each.dataset.pane === name)
    ?? panes.appendChild(make("details", { open: open.has(name), "data-pane": name },
      make("summary", {}, name, " ", make("small", {})), make("div", {})));
  const drawPane = (name, view) => {
    const details = pane(name);
    const shown = view.panes[name] ?? { note: `${view.steps.length}`, rows: [], text: "", pictures: [] };
    const now = signature(name, view);
    if (details.shown === now) return;
    details.shown = now;
    details.querySelector("small").textContent = shown.note;
    const editable = controls(name, view, choices, send);
    const held = (name === "request" && editable.length) || name === "breakpoints" ? [] : [...content(shown), ...(name === "timeline" ? editable.splice(0) : [])];
    const props = { className: "ts-content", tabIndex: 0, role: "group", "aria-label": name, "data-key": `${name} content` };
    const children = [held.length ? make("div", props, held) : null, ...editable].filter(Boolean);
    replaceContent(root, details, name === "compare" ? children.reverse() : children);
    if (shown.mark) details.dataset.mark = shown.mark; else delete details.dataset.mark;
    details.hidden = children.length === 0;
  };
  // A refusal stands beside the field it is about, or at the top.
  const showRefusal = ({ field, text }) => {
    const errors = [...root.querySelectorAll("[data-field]")];
    const beside = errors.filter((each) => each.dataset.field === field);
    for (const each of errors) each.textContent = beside.includes(each) ? text : "";
    for (const area of root.querySelectorAll("textarea")) area.ariaInvalid = String(text !== "" && area.dataset.key === field);
    problem.textContent = beside.length ? "" : text;
  };
  const drawButtons = (view) => {
    const at = focused(root);
    for (const each of bar.querySelectorAll("button")) {
      const { action, label } = each.dataset, why = view.disabled[action];
      each.disabled = why !== undefined;
      each.title = why ?? [label, view[action]].filter(Boolean).join(": "); // undo and redo name their move
    }
    if (at?.disabled) root.focus({ preventScroll: true }); // the keys go on working
    stop.textContent = view.stop;
  };
  const draw = () => {
    const view = model.get("view");
    drawChoices();
    headline.textContent = `${view.sign} ${view.headline}`;
    headline.dataset.mark = view.mark;
    drawButtons(view);
    headline.setAttribute("aria-busy", String(view.handled < sent));
    const several = view.lines.length > 1 ? view.lines : [];
    lines.replaceChildren(several.length ? make("span", {}, "lines:") : "", ...several.map((line) =>
      button(line, { "aria-pressed": String(line === view.line), "data-line": line }, () => send("line", { name: line }))));
    slider.max = view.steps.length - 1;
    if (view.handled >= sent && wanted !== null && wanted !== view.position) send("jump", { step: wanted });
    else if (view.handled >= sent) { wanted = null; slider.value = view.position; }
    slider.setAttribute("aria-valuetext", view.steps[view.position]);
    graph.replaceChildren(view.graph ? make("p", {}, `in ${view.graph}`) : "", picture(view.svg));
    for (const name of [...Object.keys(view.panes), "timeline"]) drawPane(name, view);
    showRefusal(view.refusal);
  };
  panes.addEventListener("toggle", (event) => {
    const name = event.target.dataset.pane;
    if (name === undefined) return;
    if (event.target.open) open.add(name); else open.delete(name);
    showCurrent(event.target);
  }, true);
  root.addEventListener("keydown", (event) => {
    const isTyping = event.target.matches("textarea, select, input:not([type=range])");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || !(event.key in act)) return;
    event.preventDefault();
    event.stopPropagation();
    act[event.key]();
  });
  model.on("change:view", draw);
  el.append(root);
  draw();
  return () => model.off("change:view", draw);
}
export default { render };
