// The form of a run's input and its context, made from what the graph says about its input.
import { button, field, make } from "./dom.js";

// What a field was given; undefined if it was left empty.
const READ = {
  chat: (text) => (text.trim() ? [{ role: "user", content: text }] : undefined),
  text: (text) => (text === "" ? undefined : text),
  number: (text) => (text === "" ? undefined : Number(text)),
  switch: (text) => (text === "" ? undefined : text === "true"),
  json: (text) => (text.trim() ? JSON.parse(text) : undefined),
};

function input(spec) {
  const example =
    spec.default === null || spec.default === undefined ? "" : JSON.stringify(spec.default);
  if (spec.kind === "chat")
    return make("textarea", { rows: 3, placeholder: "Your question to the agent" });
  if (spec.kind === "json")
    return make("textarea", { rows: 2, spellcheck: false, placeholder: example || spec.example || "JSON" });
  if (spec.kind === "number")
    return make("input", { type: "number", step: "any", placeholder: example });
  if (spec.kind === "switch")
    return make(
      "select",
      {},
      ["", "true", "false"].map((value) =>
        make("option", { value }, value || `as the graph has it ${example}`),
      ),
    );
  return make("input", { type: "text", placeholder: example });
}

function fieldOf(spec) {
  const area = input(spec);
  const label =
    spec.kind === "chat" ? "Message to the agent" : `${spec.name}${spec.kind === "json" ? " (JSON)" : ""}`;
  const box = field(
    spec.required && spec.kind !== "chat" ? `${label}, required` : label,
    area,
    spec.description,
  );
  box.read = () => {
    box.refuse("");
    try {
      return READ[spec.kind](area.value);
    } catch (error) {
      box.refuse(`This is no JSON: ${error.message}`);
      throw error;
    }
  };
  return box;
}

// What was typed in the fields of an object, without those that were left empty.
const readAll = (boxes) => {
  const typed = boxes.map(([name, box]) => [name, box.read()]);
  return Object.fromEntries(typed.filter(([, value]) => value !== undefined));
};

// Calls `start(input, thread)` with what was typed; it may throw a sentence.
export function inputForm(specs, contextSpecs, start) {
  const context = contextSpecs.map((spec) => [spec.name, fieldOf(spec), spec]);
  const boxes = specs.map((spec) => [spec.name, fieldOf(spec), spec]);
  const first = boxes.filter(([, , spec], n) => spec.first || spec.kind === "chat" || n === 0);
  const more = boxes.filter((each) => !first.includes(each));
  const thread = make("input", { type: "text", autocomplete: "off" });
  const threadBox = field(
    "Thread",
    thread,
    "The run begins with the conversation of this stored thread, which is only read.",
  );
  const whole = make("textarea", {
    rows: 6,
    spellcheck: false,
    placeholder: '{"messages": [["user", "Hello!"]]}',
  });
  const wholeBox = field("The whole input, as JSON, in the place of the fields", whole);
  const error = make("p", { className: "error", role: "alert" });
  const go = button("Start", () => submit(), { className: "main" });
  const read = () => {
    if (whole.value.trim()) return fieldOfWhole();
    return readAll(boxes);
  };
  const fieldOfWhole = () => {
    try {
      return JSON.parse(whole.value);
    } catch (wrong) {
      wholeBox.refuse(`This is no JSON: ${wrong.message}`);
      throw wrong;
    }
  };
  const submit = async () => {
    error.textContent = "";
    wholeBox.refuse("");
    let given;
    try {
      given = read();
      form.readContext();
    } catch {
      return; // the sentence stands beside the field
    }
    go.disabled = true;
    try {
      await start(given, thread.value.trim());
    } catch (refusal) {
      error.textContent = refusal.message;
    } finally {
      go.disabled = false;
    }
  };
  const form = make(
    "form",
    { "aria-label": "New run" },
    first.map(([, box]) => box),
    context.length ? contextFields(context) : null,
    make(
      "details",
      {},
      make(
        "summary",
        {},
        "More: ",
        make("small", {}, [...more.map(([name]) => name), "thread", "JSON"].join(", ")),
      ),
      more.map(([, box]) => box),
      threadBox,
      wholeBox,
    ),
    error,
    go,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  form.addEventListener("keydown", (event) => {
    const isChat =
      event.target.matches("textarea") && event.target === first[0]?.[1].querySelector("textarea");
    if (event.key === "Enter" && isChat && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    }
  });
  form.readContext = () => (context.length ? readAll(context) : undefined);
  form.useThread = (id) => {
    thread.value = id;
    thread.closest("details").open = true;
    (form.querySelector("textarea, input") ?? thread).focus();
  };
  return form;
}

// Open if something in it must be filled in.
function contextFields(context) {
  const title = make("summary", {}, "Context: ");
  title.append(make("small", {}, context.map(([name]) => name).join(", ")));
  const open = context.some(([, , spec]) => spec.required);
  return make(
    "details",
    { open },
    title,
    make("p", { className: "hint" }, "What the graph's nodes read from runtime.context."),
    context.map(([, box]) => box),
  );
}
