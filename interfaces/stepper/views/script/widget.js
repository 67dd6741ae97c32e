// The whole widget: its buttons and keys, and how each view is drawn in the place of the one before.
import { button, make, options, picture } from "./elements.js";
import { callChoice, content, controls } from "./controls.js";
import { pausesBox } from "./pauses.js";

// The moves that stay in sight on a narrow screen, then the others: action, key, label, what it does.
const KEYS = [
  ["step", "s", "Step", "runs the next stage, inside a subgraph too"],
  ["run", "r", "Run", "runs to the end, a breakpoint or a question"],
  ["back", "b", "Look back", "shows the step before; nothing is undone, and nothing runs"],
  ["undo", "z", "Undo", "takes back what you did last; nothing runs"],
];
const MORE_KEYS = [
  ["redo", "y", "Redo", "makes again what was undone; nothing runs"],
  ["retry", "t", "Run again", "runs again what ran last, as a new call"],
  ["step_into", "i", "Step into", "runs one task, such as one of several tool calls"],
  ["step_over", "o", "Step over", "runs the next stage, a subgraph to its end"],
];
const NAMES = { undo: "Undo", redo: "Redo" };
const NARROW = 620; // as in the style sheet
const GOING_ON = new Set(["step", "step_into", "step_over", "run", "run_until"]);

// A pane is built again only if this changes: otherwise typed text and scroll positions would be lost at each step.
function signature(name, view) {
  const pane = view.panes[name], calls = [view.model_calls, view.model_call];
  const more = {
    messages: view.messages, request: [view.body, view.confirmation, view.edits, view.turn, calls], response: calls, curl: calls, tools: view.calls, state: view.state, question: view.questions, breakpoints: view.breakpoints,
    compare: [view.lines, view.line, view.compared], timeline: [view.steps, view.marks, view.position],
  };
  return JSON.stringify([pane, more[name]]);
}

// `tool_requested` as words. The option keeps the event's own name.
const plainly = (name) => name.replaceAll("_", " ");

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
    if (typed.get(area.dataset.key)?.defaultValue === area.defaultValue) {
      area.value = typed.get(area.dataset.key).value;
      area.dataset.used = typed.get(area.dataset.key).dataset.used ?? area.defaultValue;
    }
  for (const each of details.querySelectorAll("details")) each.open = opened.get(each.dataset.key) ?? each.open;
  if (key === null) return;
  const same = [...details.querySelectorAll("[data-key]")].find((node) => node.dataset.key === key);
  (same ?? details.querySelector("summary")).focus({ preventScroll: true });
}

// Whether a field holds text that no button has taken, or that was refused.
const isUnused = (area) => area.value !== area.defaultValue
  && (area.value !== area.dataset.used || area.ariaInvalid === "true");

// What was typed would be lost without a word if the graph went on. The next press goes on without it.
function sayUnused(area, label) {
  const box = area.parentElement, use = box.querySelector("button").textContent;
  for (let each = area.closest("details"); each; each = each.parentElement.closest("details")) each.open = true;
  box.querySelector("[data-field]").textContent = `This change is not used yet. Press "${use}", or ${label} again to go on without it.`;
  area.ariaInvalid = "true";
  box.scrollIntoView({ block: "nearest" });
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
  const next = make("p", { className: "ts-next", role: "status" });
  const pauses = pausesBox(root);
  const lines = make("div", { className: "ts-bar", role: "group", "aria-label": "Lines" });
  const slider = make("input", { type: "range", min: 0, step: 1, "aria-label": "Timeline" });
  const graphNote = make("small"), drawn = make("div");
  const graph = make("details", { className: "ts-graph", open: true }, make("summary", {}, "graph ", graphNote), drawn);
  const panes = make("div", { className: "ts-panes" });
  const open = new Set(choices.open);
  let sent = 0; // the number of the last message sent; `view.handled` is the number of the last one handled
  let wanted = null; // the step that the timeline was dragged to while another move was under way

  const send = (action, extra = {}) => {
    sent = Math.max(sent, model.get("view").handled) + 1;
    setTimeout(() => headline.setAttribute("aria-busy", String(model.get("view").handled < sent)), 150);
    model.send({ action, ...extra });
  };
  let told = ""; // typed text of which it was said that no button has taken it
  const move = (action, label, extra) => {
    const unused = [...root.querySelectorAll("textarea")].find(isUnused);
    const isNew = GOING_ON.has(action) && unused !== undefined && told !== unused.value;
    told = unused?.value ?? "";
    if (isNew) sayUnused(unused, label); else send(action, extra);
  };
  const bar = make("div", { className: "ts-bar", role: "toolbar", "aria-label": "Moves" });
  const until = make("select", { "aria-label": "Run until" });
  const drawChoices = () => { // a graph that was loaded again may have other nodes
    choices = model.get("choices");
    const chosen = until.value, known = JSON.stringify(choices.nodes);
    if (until.dataset.known === known) return;
    until.dataset.known = known;
    until.replaceChildren(...options(["stop before a node", choices.nodes], ["stop after an event", choices.events, plainly]));
    until.value = chosen;
    until.value ||= choices.nodes.find((node) => /(^|\/)call_llm$/.test(node)) ?? choices.nodes[0];
  };
  const name = make("input", { type: "text", placeholder: "name of the fork", "aria-label": "Name of a fork", size: 12 });
  const runUntil = () => move("run_until", "Run until", { until: until.value });
  const fork = () => { send("fork", { name: name.value.trim() }); name.value = ""; };
  name.addEventListener("keydown", (event) => event.key === "Enter" && fork());
  const file = make("input", { type: "text", value: "run.json", "aria-label": "File of the run", size: 10 });
  const pair = (...parts) => make("div", { className: "ts-pair" }, parts); // a button and its field stay on one line
  const act = {};
  const keyed = (label, key, action, press, does) => {
    const title = does ? `${label} (${key}): ${does}` : `${label} (${key})`;
    const props = { "aria-keyshortcuts": key, "data-action": action, "data-label": title };
    const made = button([label, make("kbd", { "aria-hidden": "true" }, key)], props, press);
    act[key] = () => made.disabled || press();
    return made;
  };
  const buttons = (keys) => keys.map(([action, key, label, does]) => keyed(label, key, action, () => move(action, label), does));
  const [step, run, ...others] = buttons(KEYS);
  const rare = make("div", { className: "ts-rare" }, ...buttons(MORE_KEYS),
    pair(keyed("Fork", "f", "fork", fork, "begins another line here, beside this one"), name),
    ...(choices.files === false ? [] : [pair( // a page that is not on this machine names none of its files
      keyed("Save", "S", "save", () => send("save", { path: file.value }), "writes the run, with all its lines, to the file beside it"), file,
      button("Open", { "data-action": "open", "data-label": "Open: shows the run in the file beside it" }, () => send("open", { path: file.value })))]));
  const more = button("More", { className: "ts-more", "aria-expanded": "false", title: "More moves" }, () => {
    bar.toggleAttribute("data-all");
    more.ariaExpanded = String(bar.hasAttribute("data-all"));
  });
  bar.append(step, pair(keyed("Run until", "u", "run_until", runUntil, "runs up to the node or event beside it"), until), run, ...others, more, rare);
  slider.addEventListener("input", () => {
    wanted = Number(slider.value);
    if (model.get("view").handled >= sent) send("jump", { step: wanted });
  });
  // The saved page is for readers without a kernel: while the widget lives, it is hidden.
  const hiding = `[data-saved="${CSS.escape(choices.page)}"] { display: none }`;
  const top = make("div", { className: "ts-top" }, headline, pauses, bar);
  new ResizeObserver(() => root.style.setProperty("--top", `${top.offsetHeight}px`)).observe(top); // both stick
  // Beside the panes the graph is always there; above them, on a narrow screen, it opens when it is wanted.
  let isNarrow = false;
  new ResizeObserver(([{ contentRect: { width } }]) => {
    if (width > 0 && isNarrow !== (width <= NARROW)) graph.open = isNarrow; // it was narrow, and is not any more
    isNarrow = width <= NARROW;
  }).observe(root);
  root.append(make("style", { nonce: choices.nonce ?? "", textContent: model.get("css") + hiding }), top, next, lines, slider,
    problem, make("div", { className: "ts-body" }, graph, panes));

  const pane = (name) => [...panes.children].find((each) => each.dataset.pane === name)
    ?? panes.appendChild(make("details", { open: open.has(name), "data-pane": name },
      make("summary", {}, name, " ", make("small", {})), make("div", {})));
  const drawPane = (name, view) => {
    const details = pane(name);
    const shown = view.panes[name] ?? { note: `step ${view.position} of ${view.steps.length - 1}`, rows: [], text: "", pictures: [] };
    const now = signature(name, view);
    if (details.shown === now) return;
    details.shown = now;
    details.querySelector("small").textContent = shown.note;
    const editable = controls(name, view, choices, send);
    const isInForm = editable.length > 0 && (name === "request" || (name === "question" && editable.length > 1));
    const held = isInForm || name === "breakpoints" ? [] : [...content(shown), ...(name === "timeline" ? editable.splice(0) : [])];
    const props = { className: "ts-content", tabIndex: 0, role: "group", "aria-label": name, "data-key": `${name} content` };
    const parts = [held.length ? make("div", props, held) : null, ...editable].filter(Boolean);
    const children = parts.length ? [callChoice(name, view, send), ...parts].filter(Boolean) : [];
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
      if (action === undefined) continue;
      each.title = why ?? label;
      if (view[action] !== undefined) each.firstChild.nodeValue = `${NAMES[action]} ${view[action]}`.trim(); // undo and redo name their move
      each.hidden = view.hidden.includes(action);
    }
    if (at?.disabled || at?.hidden) root.focus({ preventScroll: true });
  };
  // One button is the next to press, and a sentence says so: that of a changed field comes first.
  const drawNext = () => {
    const { action, text } = model.get("view").next;
    const unused = [...root.querySelectorAll("textarea")].find(isUnused);
    const use = unused?.parentElement.querySelector("button");
    const place = action === "answer" ? panes : bar;
    const first = use ?? place.querySelector(`[data-action=approve], [data-action=${action}]`);
    for (const each of root.querySelectorAll(".ts-primary")) if (each !== first) each.classList.remove("ts-primary");
    first?.classList.add("ts-primary");
    const said = use ? `You have changed a text below. Press "${use.textContent}" to use it.` : text;
    if (next.dataset.said === said) return;
    next.dataset.said = said;
    // What stands between backticks is a name.
    next.replaceChildren(...said.split("`").map((part, n) => (n % 2 ? make("code", {}, part) : part)));
  };
  root.addEventListener("input", drawNext);
  const drawGraph = (svg, path) => {
    graphNote.textContent = path ? `in ${path}` : "";
    drawn.replaceChildren(path ? make("p", {}, `in ${path}`) : "", picture(svg));
  };
  // What had the focus may be gone, or be in a pane that is hidden now. The keys go on working.
  const keepFocus = (before, line) => {
    if (!before) return;
    const same = line && [...lines.children].find((each) => each.dataset.line === line);
    if (same) same.focus({ preventScroll: true });
    if (!focused(root)?.checkVisibility()) root.focus({ preventScroll: true });
  };
  const draw = () => {
    const view = model.get("view"), before = focused(root), line = before?.dataset.line;
    drawChoices();
    headline.textContent = `${view.sign} ${view.headline}`;
    headline.dataset.mark = view.mark;
    drawButtons(view);
    headline.setAttribute("aria-busy", String(view.handled < sent));
    const several = view.lines.length > 1 ? view.lines : [];
    lines.replaceChildren(several.length ? make("span", {}, "lines:") : "", ...several.map((line) =>
      button(line, { "aria-pressed": String(line === view.line), "data-line": line, title: "Shows the newest step of this line" }, () => send("line", { name: line }))));
    slider.max = view.steps.length - 1;
    if (view.handled >= sent && wanted !== null && wanted !== view.position) send("jump", { step: wanted });
    else if (view.handled >= sent) { wanted = null; slider.value = view.position; }
    slider.setAttribute("aria-valuetext", view.steps[view.position]);
    drawGraph(view.svg, view.graph);
    for (const name of [...Object.keys(view.panes), "timeline"]) drawPane(name, view);
    showRefusal(view.refusal);
    drawNext();
    keepFocus(before, line);
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
  // While a move is under way, the view is that of its beginning: only where it is follows.
  const drawPauses = () => {
    const { waits, headline: at, svg, graph } = model.get("pauses");
    pauses.show(waits);
    const isMoving = root.closest("[aria-busy=true]") ?? root.querySelector("[aria-busy=true]");
    if (svg === undefined || !isMoving) return;
    headline.textContent = `${waits.length ? choices.signs.retrying : choices.signs.running} ${at}`;
    next.textContent = "The run is under way.";
    next.dataset.said = "";
    drawGraph(svg, graph);
  };
  model.on("change:view", draw);
  model.on("change:pauses", drawPauses);
  el.append(root);
  draw();
  drawPauses();
  return () => {
    model.off("change:view", draw);
    model.off("change:pauses", drawPauses);
    pauses.show([]);
  };
}
export default { render };
