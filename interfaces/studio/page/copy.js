// The run as something to take along: a command, a program, a recording, a test.
import { ask } from "./api.js";
import { button, make } from "./dom.js";

const FORMS = [
  ["curl", "curl", "request.sh"],
  ["python", "Python", "request.py"],
  ["recording", "recording", "turn.jsonl"],
  ["test", "test", "test_turn.py"],
];

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
