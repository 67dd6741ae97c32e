// One run: the notebook's widget, on a model that exchanges messages with the studio.
import { listen, read, send } from "./api.js";
import { button, field, make } from "./dom.js";
import { copyMenu, keepMenu } from "./copy.js";
import widget from "./widget.js";

// What the widget sees of anywidget's model: https://anywidget.dev/en/afm/
class WalkModel {
  constructor(id, client, values) {
    Object.assign(this, { id, client, values });
    this.listeners = []; // pairs of an event's name and its listener
    this.counted = 0; // messages of this page that the studio has handled
    this.unsent = 0; // messages that did not reach it
  }

  get(name) {
    return this.values[name];
  }
  on(event, listener) {
    this.listeners.push([event, listener]);
  }
  off(event, listener) {
    this.listeners = this.listeners.filter((each) => each[0] !== event || each[1] !== listener);
  }
  set(name, value) {
    this.values[name] = value;
    for (const [event, listener] of this.listeners) if (event === `change:${name}`) listener();
  }

  send(message) {
    send(`walks/${this.id}/moves`, { client: this.client, message }).catch((error) => {
      this.unsent += 1;
      this.show({
        ...this.values.view,
        refusal: { field: message.field ?? "", text: error.message },
      });
    });
  }

  show(view) {
    this.set("view", { ...view, handled: this.counted + this.unsent });
  }
}

export async function showWalk(main, id) {
  const client = [...crypto.getRandomValues(new Uint32Array(2))].join("-");
  const { css, choices, ...about } = await read(`walks/${id}`);
  const nonce = document.querySelector("style[nonce]").nonce;
  const model = new WalkModel(id, client, { css, choices: { ...choices, nonce }, view: null, pauses: { waits: [] } });
  const { note, problem, halt, el, arriving } = layOut(main, id, about);
  let unmount = null;
  const drawWidget = () => {
    unmount?.();
    el.replaceChildren();
    unmount = widget.render({ model, el });
    // The widget's keys work at once, unless the person is somewhere else already.
    if (document.activeElement === main || document.activeElement === document.body)
      el.firstElementChild.focus({ preventScroll: true });
  };
  const stop = listen(`walks/${id}/events?client=${client}`, {
    handled: (count) => (model.counted = count),
    view: (view) => {
      model.show(view);
      if (!unmount) drawWidget();
    },
    pauses: (pauses) => model.set("pauses", pauses),
    note: (text) => (note.textContent = text),
    problem: (text) => {
      problem.textContent = text && `This run goes on with the graph from before. ${text}`;
    },
    choices: (changed) => (model.values.choices = { ...changed, nonce }), // a view follows
    moving: (isMoving) => {
      el.setAttribute("aria-busy", String(isMoving));
      halt.hidden = !isMoving;
      arriving.replaceChildren();
    },
    tokens: (pieces) => {
      for (const [call, text] of Object.entries(pieces)) addTokens(arriving, call, text);
    },
    closed: () => {
      note.textContent = "This run was closed.";
      stop();
    },
  });
  return () => {
    stop();
    unmount?.();
  };
}

// Adds the parts of the page to `main`, and returns those that change.
function layOut(main, id, about) {
  const name = about.graph + (about.thread ? `, thread ${about.thread}` : "");
  document.title = `${name} · turngraph studio`;
  const note = make("p", { className: "note", role: "status" });
  const problem = make("p", { className: "error box", role: "alert" });
  const label = "Answers as they arrive";
  const arriving = make("div", { className: "arriving", role: "group", "aria-label": label });
  const el = make("div", { className: "stepper" });
  const refuse = (error) => (note.textContent = error.message);
  const halt = button("Stop", () => send(`walks/${id}/stop`, {}).catch(refuse), {
    hidden: true,
    title: "Stop (Escape)",
    "aria-keyshortcuts": "Escape",
  });
  el.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !halt.hidden) halt.click();
  });
  const menus = make("div", { className: "menus", id: "menus" }, keepMenu(id, about.thread), copyMenu(id));
  // On a narrow screen the menus would push the run out of sight.
  const unfold = button("Save, copy", () => {
    const isOpen = menus.classList.toggle("open");
    unfold.setAttribute("aria-expanded", String(isOpen));
  }, { className: "unfold", "aria-expanded": "false", "aria-controls": menus.id });
  const title = make("div", { className: "title" }, make("h1", {}, name), halt, unfold, menus);
  main.append(title, problem, note, el, arriving, search(id));
  return { note, problem, halt, el, arriving };
}

// Calls that run side by side have an answer each.
function addTokens(arriving, call, text) {
  let answer = [...arriving.children].find((each) => each.dataset.call === call);
  const soFar = ((answer?.textContent ?? "") + text).trimStart();
  if (!soFar) return;
  if (!answer) {
    const label = `Answer ${arriving.children.length + 1} as it arrives`;
    answer = make("pre", { tabIndex: 0, role: "group", "aria-label": label });
    answer.dataset.call = call;
    arriving.append(answer);
  }
  answer.textContent = soFar;
  answer.scrollTop = answer.scrollHeight;
}

function search(id) {
  const words = make("input", { type: "search" });
  const found = make("ol", { className: "found" });
  const box = field("Search in the messages of this run", words);
  words.addEventListener("keydown", async (event) => {
    if (event.key !== "Enter") return;
    try {
      const answer = await read(
        `walks/${id}/messages?${new URLSearchParams({ words: words.value })}`,
      );
      const items = answer.found.map((each) =>
        make("li", { value: each.number + 1 }, make("b", {}, each.role), ` ${each.text}`),
      );
      found.replaceChildren(
        ...(items.length || !words.value ? items : [make("li", {}, "No message has these words.")]),
      );
      box.refuse("");
    } catch (error) {
      box.refuse(error.message);
    }
  });
  return make("section", { "aria-label": "Search" }, box, make("div", { role: "status" }, found));
}
