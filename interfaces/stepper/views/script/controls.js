// What a pane holds: its content, and the fields and choices beside it.
import { button, field, foldout, make, options, picture, table } from "./elements.js";

export function content(pane) {
  if (pane.pictures.length) return pane.pictures.map((svg) => make("div", { className: "ts-picture" }, picture(svg)));
  return pane.rows.length ? [table(pane)] : pane.text ? [make("pre", {}, pane.text)] : [];
}

// The controls of a pane beside its content: fields and choices.
export function controls(name, view, choices, send) {
  if (name === "request" && view.body)
    return [field("request", "The pending request: the very JSON that will be sent. Change it and press the button; Step then sends it. A change holds for this one request.", view.body, true,
      ["Use for this request", "edit_request", (area) => send("edit_request", { body: area.value, field: "request" })]),
      view.edits.length ? edited(view.edits) : null, view.turn && turnForm(view.turn, send)].filter(Boolean);
  if (name === "messages") return view.messages ? [messagesForm(view.messages, send)] : [];
  if (name === "tools") return view.calls.map((call) => callForm(call, view.questions.length === 0, send));
  if (name === "state") return view.state.length ? [stateForm(view.state, send)] : [];
  if (name === "question") return view.questions.map((question, n, all) => questionForm(question, all.length > 1, send));
  if (name === "breakpoints") return breakpoints(view, choices, send);
  if (name === "compare") return view.lines.length > 1 ? [comparison(view, send)] : [];
  return name === "timeline" ? [steps(view, choices, send)] : [];
}

// What a person has changed in the request, which the state does not show.
const edited = (edits) => make("div", { className: "ts-edited", role: "status" },
  "Edited: Step sends the request as it stands above. The state keeps it as it was, for the calls that follow.",
  make("ul", {}, edits.map((text) => make("li", {}, text))));

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

function messagesForm(messages, send) {
  const label = "The last messages, as JSON. One without an id is added, one that is missing is removed.";
  return foldout("messages", "edit the messages", false, field("messages", label, messages, true,
    ["Use these messages", "edit_messages", (area) => send("edit_messages", { value: area.value, field: "messages" })]));
}

function stateForm(fields, send) {
  const edits = fields.map(({ name, value }) => field(`state ${name}`, `${name}, as JSON`, value, false,
    [`Set ${name}`, "edit_state", (area) => send("edit_state", { name, value: area.value, field: `state ${name}` })]));
  return foldout("state", "edit the state", false, edits);
}

// Open before the call runs, unless a person is asked about it: then the question comes first.
function callForm({ id, name, arguments: given, result }, isNext, send) {
  const key = `tool ${id}`, ran = given === null;
  const ofResult = (label, text, use) => field(`${key} result`, label, text, false, [use, "edit_result", (area) =>
    send("edit_result", { tool: id, value: area.value, field: `${key} result` })]);
  const fields = ran ? [ofResult("result", result, "Use this instead")] : [
    field(key, "arguments", given, false, ["Call it with these", "edit_arguments", (area) =>
      send("edit_arguments", { tool: id, value: area.value, field: key })]),
    ofResult("or a result, without running it", "", "Use this result")];
  return foldout(`edit ${id}`, `${ran ? "edit the result" : "edit the call"}: ${name} (${id})`, !ran && isNext, fields);
}

function questionForm(question, oneOfMany, send) {
  const key = `question ${question.id}`;
  const answer = (value) => send("answer", { question: question.id, value, field: key });
  const decide = ["approve", "reject"].map((decision) => button(decision,
    { "data-action": decision, "data-key": `${key} ${decision}` }, () => answer(JSON.stringify({ decision }))));
  return make("fieldset", {}, make("legend", {}, "question to a person"),
    oneOfMany ? make("pre", {}, question.text) : null,
    question.approval ? make("div", { className: "ts-bar" }, decide) : null,
    field(key, question.approval ? "or with other arguments, or a reason: as JSON" : "the answer: JSON, or any text", question.draft, false, ["Answer", "answer", (area) => answer(area.value)]));
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
