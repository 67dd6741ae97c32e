// The run as something to take along: a command, a program, a recording, a test.
import { ask, send } from "./api.js";
import { button, make } from "./dom.js";

const FORMS = [
  ["curl", "curl", "request.sh"],
  ["python", "Python", "request.py"],
  ["recording", "recording", "turn.jsonl"],
  ["test", "test", "test_turn.py"],
];

// Saves the walk as a file of the browser, and writes it into a thread.
export function keepMenu(id, thread) {
  const said = make("span", { role: "status" });
  const into = make("input", { type: "text", value: thread ?? "", size: 14, autocomplete: "off" });
  into.setAttribute("aria-label", "Thread to write into");
  into.placeholder = "a new thread";
  const write = async () => {
    try {
      const answer = await send(`walks/${id}/thread`, { thread: into.value });
      into.value = (await answer.json()).thread;
      said.textContent = "Written.";
    } catch (error) {
      said.textContent = error.message;
    }
  };
  const save = make("a", { href: `api/walks/${id}/file`, download: "walk.json" }, "Save as a file");
  return make(
    "div",
    { className: "bar", role: "group", "aria-label": "Keep" },
    save,
    button("Write into thread", write),
    into,
    said,
  );
}

export function copyMenu(id) {
  const said = make("span", { role: "status" });
  const dialog = make("dialog", { "aria-label": "Copy" });
  const copy = async (form, name) => {
    said.textContent = "";
    try {
      const text = await (await ask(`walks/${id}/copies/${form}`)).text();
      // Outside of a secure context there is no clipboard: then the text is there to be selected.
      if (!navigator.clipboard) return showText(dialog, text, name);
      await navigator.clipboard.writeText(text).then(
        () => {
          said.textContent = "Copied.";
        },
        () => showText(dialog, text, name),
      );
    } catch (error) {
      said.textContent = error.message;
    }
  };
  return make(
    "div",
    { className: "bar", role: "group", "aria-label": "Copy as" },
    "Copy as",
    FORMS.map(([form, label, name]) => button(label, () => copy(form, name))),
    said,
    dialog,
  );
}

function showText(dialog, text, name) {
  const area = make("textarea", { value: text, readOnly: true, rows: 18, "aria-label": name });
  dialog.replaceChildren(
    area,
    button("Close", () => dialog.close()),
  );
  dialog.showModal();
  area.select();
}
