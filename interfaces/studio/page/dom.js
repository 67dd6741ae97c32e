// Builds elements. Every text is set as text; the only markup is the SVG that turngraph drew.
import { make } from "./elements.js";

export { make, picture } from "./elements.js";

export function button(label, act, props = {}) {
  const node = make("button", { type: "button", ...props }, label);
  node.addEventListener("click", act);
  return node;
}

let numbers = 0;

// A field with its label, an optional hint, and the place for an error about it.
export function field(label, input, hint = "") {
  input.id = `field-${++numbers}`;
  const error = make("p", { className: "error", role: "alert", id: `${input.id}-error` });
  const note = hint ? make("p", { className: "hint", id: `${input.id}-hint` }, hint) : null;
  input.setAttribute("aria-describedby", [note?.id, error.id].filter(Boolean).join(" "));
  const box = make(
    "div",
    { className: "field" },
    make("label", { htmlFor: input.id }, label),
    input,
    note,
    error,
  );
  box.refuse = (text) => {
    error.textContent = text;
    input.setAttribute("aria-invalid", String(text !== ""));
    if (text) input.focus();
  };
  return box;
}

export function table(caption, head, rows) {
  // On a narrow screen, where there is no head, each cell has its own.
  const cells = (row) =>
    row.map((cell, n) =>
      make(n ? "td" : "th", n ? { "data-head": head[n] } : { scope: "row" }, cell),
    );
  return make(
    "div",
    { className: "scroll" },
    make(
      "table",
      {},
      make("caption", {}, caption),
      make(
        "thead",
        {},
        make(
          "tr",
          {},
          head.map((cell) => make("th", { scope: "col" }, cell)),
        ),
      ),
      make(
        "tbody",
        {},
        rows.map((row) => make("tr", {}, cells(row))),
      ),
    ),
  );
}

const MARKS = {
  done: ["✓", "done"],
  failed: ["✗", "failed"],
  waiting: ["?", "waits for a person"],
  next: ["‖", "paused"],
};

// How a run stands: a sign and a word, so that color alone says nothing.
export function status(mark) {
  const [sign, word] = MARKS[mark] ?? ["", mark];
  return make("span", { className: `status ${mark}` }, `${sign} ${word}`);
}

export function time(iso) {
  return make(
    "time",
    { dateTime: iso },
    new Date(iso).toLocaleString([], { dateStyle: "short", timeStyle: "medium" }),
  );
}
