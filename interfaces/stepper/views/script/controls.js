// What a pane holds: its content, and the fields and choices beside it.
import { button, field, foldout, make, options, picture, table } from "./elements.js";

export function content(pane) {
  if (pane.pictures.length) return pane.pictures.map((svg) => make("div", { className: "ts-picture" }, picture(svg)));
  return pane.rows.length ? [table(pane)] : pane.text ? [make("pre", {}, pane.text)] : [];
}

// What is said of a request by when it is sent, as the pane's note has it.
const REQUESTS = {
  "about to be sent": "The pending request: the very JSON that will be sent.",
  "sent after this step": "The request that was sent after this step. A change starts a fork.",
  "before an edit": "The request before an edit: what was sent stands at a later step. A change starts a fork.",
  "not sent": "The request as it stood here. It was not sent. A change starts a fork.",
};

// The controls of a pane beside its content: fields and choices.
export function controls(name, view, choices, send) {
  if (name === "request" && view.body)
    return [withConfirmation(view.confirmation, field("request", REQUESTS[view.when], view.body, true,
      ["Change this request only", "edit_request", (area) => send("edit_request", { body: area.value, field: "request" }),
        "Step then sends this JSON. Later requests of the turn stay as they are."])),
      view.edits.length ? edited(view) : null, view.turn && turnForm(view.turn, send)].filter(Boolean);
  if (name === "messages") return view.messages ? [messagesForm(view.messages, send)] : [];
  if (name === "tools") return view.calls.map((call) => callForm(call, view.questions.length === 0, send));
  if (name === "state") return view.state.length ? [stateForm(view.state, send)] : [];
  if (name === "question") return view.questions.map((question, n, all) => questionForm(question, all.length > 1, send));
  if (name === "breakpoints") return breakpoints(view, choices, send);
  if (name === "compare") return view.lines.length > 1 ? [comparison(view, send)] : [];
  return name === "timeline" ? [steps(view, choices, send)] : [];
}

// Beside the buttons, where it is seen at once.
function withConfirmation(text, box) {
  if (text) box.querySelector(".ts-use").append(make("span", { className: "ts-confirmed" }, text));
  return box;
}

// What a person has changed in the request, which the state does not show.
const edited = (view) => make("div", { className: "ts-edited", role: "status" },
  `${isPast(view) ? "This request was edited before it was sent." : "This request is edited, and Step sends it as it stands above."} `
    + "The edit is for this request alone: later ones do not have it.",
  make("ul", {}, view.edits.map((text) => make("li", {}, text))));

// Whether an earlier step is looked at.
const isPast = (view) => view.position < view.steps.length - 1;

// What holds for the rest of the turn: this request and those that follow.
function turnForm(turn, send) {
  const use = (part, value) => send("edit_turn", { part, value, field: `turn ${part}` });
  const fields = turn.fields.map(({ part, label, value }) => field(`turn ${part}`, label, value, false,
    [`Use this ${label.split(",")[0]} for the rest of the turn`, `edit_turn ${part}`, (area) => use(part, area.value),
      "This request and all later ones of the turn are sent with it."]));
  const boxes = turn.tools.map(({ name, offered }) =>
    make("input", { type: "checkbox", checked: offered, value: name, "data-key": `turn tool ${name}` }));
  const tools = make("fieldset", {}, make("legend", {}, "tools"),
    boxes.map((box) => make("label", {}, box, ` ${box.value} `)),
    button("Offer these for the rest of the turn", { "data-action": "edit_turn tools", "data-key": "edit_turn tools" },
      () => use("tools", boxes.filter((box) => box.checked).map((box) => box.value))));
  return foldout("turn", "change it for the rest of the turn", false, fields, boxes.length ? tools : null);
}

function messagesForm(messages, send) {
  const label = "The last messages, as JSON. One without an id is added, one that is missing is removed.";
  return foldout("messages", "edit the messages", false, field("messages", label, messages, true,
    ["Change the messages", "edit_messages", (area) => send("edit_messages", { value: area.value, field: "messages" })]));
}

function stateForm(fields, send) {
  const edits = fields.map(({ name, value }) => field(`state ${name}`, `${name}, as JSON`, value, false,
    [`Set ${name}`, "edit_state", (area) => send("edit_state", { name, value: area.value, field: `state ${name}` })]));
  return foldout("state", "edit the state", false, edits);
}

// Open before the call runs, unless a person is asked about it: then the question comes first.
function callForm({ id, name, arguments: given, result }, isNext, send) {
  const key = `tool ${id}`, ran = given === null;
  const ofResult = (label, text, use, title) => field(`${key} result`, label, text, false, [use, "edit_result", (area) =>
    send("edit_result", { tool: id, value: area.value, field: `${key} result` }), title]);
  const fields = ran ? [ofResult("result", result, "Change the result", "The model is told this instead of what the tool has said.")] : [
    field(key, "arguments", given, false, ["Change the arguments", "edit_arguments", (area) =>
      send("edit_arguments", { tool: id, value: area.value, field: key }), "Step then calls the tool with them."]),
    ofResult("or a result, without running it", "", "Use this result, do not run it", "Step then tells the model this. The tool does not run.")];
  return foldout(`edit ${id}`, `${ran ? "edit the result" : "edit the call"}: ${name}`, !ran && isNext, fields);
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

// What stands before and in the box of a breakpoint, by its kind.
const REASONS = {
  node: ["this node is next", "call_llm"], tool: ["this tool is called", "name of the tool"], plugin: ["this plugin is selected or called", "name of the plugin"],
  cost_above: ["the cost is above (USD)", "0.01"], iteration: ["this call to the model is next (number)", "2"],
  answer: ["the answer matches", "words, or a regular expression"], event: ["this event has happened", "response_received"],
};

function breakpoints(view, choices, send) {
  const reason = make("select", { "aria-label": "Stop when", "data-key": "reason" },
    options(["Run stops when", choices.reasons, (name) => REASONS[name]?.[0] ?? name]));
  const value = make("input", { type: "text", "aria-label": "Name or value", "data-key": "value" });
  const example = () => { value.placeholder = REASONS[reason.value]?.[1] ?? ""; };
  reason.onchange = example;
  example();
  const add = () => send("add_breakpoint", { reason: reason.value, value: value.value, field: "breakpoints" });
  value.onkeydown = (event) => event.key === "Enter" && add();
  const error = make("p", { className: "ts-error", role: "alert", "data-field": "breakpoints" });
  const known = view.breakpoints.map((text, index) => make("li", {}, `${text} `, button("remove",
    { "aria-label": `remove ${text}`, "data-action": "remove_breakpoint", "data-key": `breakpoint ${index}` },
    () => send("remove_breakpoint", { index, field: "breakpoints" }))));
  const adding = button("Add", { "data-action": "add_breakpoint", "data-key": "add_breakpoint", title: "Run and Run until then stop there." }, add);
  return [make("ol", {}, known), make("div", { className: "ts-bar" }, make("span", {}, "Stop when"), reason, value, adding), error];
}

// Which call to the model the pane shows, where there are several.
export function callChoice(name, view, send) {
  if (!["request", "response", "curl"].includes(name) || view.model_calls.length < 2) return null;
  const call = make("select", { "aria-label": `Call shown in ${name}`, "data-key": `${name} call` }, view.model_calls.map((each) =>
    make("option", { value: each.number, textContent: each.name, selected: each.number === view.model_call })));
  call.onchange = () => send("model_call", { number: Number(call.value) });
  return make("div", { className: "ts-bar" }, make("span", {}, "Show"), call);
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
