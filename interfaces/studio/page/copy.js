// The run as something to take along: a command, a program, a recording, a test.
import { ask, send } from "./api.js";
import { button, make } from "./dom.js";

const FORMS = [
  ["curl", "curl", "request.sh", "The request that is shown, as a command"],
  ["python", "Python", "request.py", "The request that is shown, as a program"],
  ["recording", "recording", "turn.jsonl", "The turn, as `turngraph replay` runs it again"],
  ["test", "test", "test_turn.py", "The turn, as a test that replays it offline"],
];

// Saves the walk as a file of the browser, and writes it into a thread.
export function keepMenu(id, thread) {
  const said = make("span", { role: "status" });
  const into = make("input", { type: "text", value: thread ?? "", size: 14, autocomplete: "off" });
  into.setAttribute("aria-label", "Id of the thread");
  into.placeholder = "a new thread";
  const write = async () => {
    try {
      const answer = await send(`walks/${id}/thread`, { thread: into.value });
      into.value = (await answer.json()).thread;
      said.textContent = "Stored.";
    } catch (error) {
      said.textContent = error.message;
    }
  };
  // The browser saves what a link with `download` leads to.
  const link = make("a", { href: `api/walks/${id}/file`, download: "run.json", hidden: true });
  const save = button("Save as a file", () => link.click(), {
    title: "Saves the whole run as a file, which the start page opens again",
  });
  return make(
    "div",
    { className: "bar", role: "group", "aria-label": "Keep" },
    link,
    save,
    button("Store in thread", write, {
      title: "Writes the conversation, as it stands here, into a thread: your app goes on with it",
    }),
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
    FORMS.map(([form, label, name, title]) => button(label, () => copy(form, name), { title })),
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
