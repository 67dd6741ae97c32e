// One page: everything from outside is set with textContent; the only markup is the graph that Python drew.
function render({ model, el }) {
  const make = (tag, props = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), props);
    node.append(...children);
    return node;
  };
  const send = (action, extra = {}) => model.send({ action, ...extra });
  const root = make("div", { className: "turnstepper", tabIndex: 0 });
  root.setAttribute("role", "region");
  root.setAttribute("aria-label", "Turn stepper");
  const where = make("p", { className: "ts-where" });
  where.setAttribute("aria-live", "polite");
  const problem = make("p", { className: "ts-problem" });
  problem.setAttribute("role", "alert");
  const keys = [
    ["step", "s", "Step"], ["step_into", "i", "Into"], ["step_over", "o", "Over"],
    ["back", "b", "Back"], ["run", "r", "Run"], ["retry", "t", "Retry"], ["fork", "f", "Fork"],
  ];
  const bar = make("div", {});
  bar.setAttribute("role", "toolbar");
  for (const [action, key, label] of keys) {
    const button = make("button", { type: "button", title: `${label} (${key})`, textContent: label });
    button.dataset.action = action;
    button.setAttribute("aria-keyshortcuts", key);
    button.addEventListener("click", () => send(action));
    bar.append(button);
  }
  const slider = make("input", { type: "range", min: 0, step: 1 });
  slider.setAttribute("aria-label", "Timeline");
  slider.addEventListener("change", () => send("jump", { step: Number(slider.value) }));
  const graph = make("div", { className: "ts-graph" });
  const panes = make("div", { className: "ts-panes" });
  root.append(make("style", { textContent: model.get("css") }), where, bar, slider, problem,
    make("div", { className: "ts-body" }, graph, panes));
  const open = new Set(["messages", "request", "response"]);
  const pane = (name, text, editable) => {
    const details = make("details", { open: open.has(name) }, make("summary", { textContent: name }));
    details.dataset.pane = name;
    details.addEventListener("toggle", () => details.open ? open.add(name) : open.delete(name));
    if (editable) {
      const area = make("textarea", { value: text, spellcheck: false });
      area.setAttribute("aria-label", "The pending request, as JSON");
      const apply = make("button", { type: "button", textContent: "Send this instead" });
      apply.dataset.action = "edit";
      apply.addEventListener("click", () => send("edit", { body: area.value }));
      details.append(area, apply);
    } else details.append(make("pre", { textContent: text }));
    return details;
  };
  const draw = () => {
    const view = model.get("view");
    where.textContent = view.where;
    problem.textContent = view.refused || "";
    slider.max = view.last;
    slider.value = view.place;
    slider.setAttribute("aria-valuetext", view.where);
    const parsed = new DOMParser().parseFromString(view.svg, "image/svg+xml").documentElement;
    graph.replaceChildren(document.importNode(parsed, true));
    panes.replaceChildren(...Object.entries(view.panes).filter(([, text]) => text !== "")
      .map(([name, text]) => name === "request" && view.editable
        ? pane(name, view.editable, true) : pane(name, text, false)));
  };
  root.addEventListener("keydown", (event) => {
    if (event.target instanceof HTMLTextAreaElement || event.ctrlKey || event.metaKey || event.altKey) return;
    const found = keys.find(([, key]) => key === event.key);
    if (found) { event.preventDefault(); event.stopPropagation(); send(found[0]); }
  });
  model.on("change:view", draw);
  el.append(root);
  draw();
  return () => model.off("change:view", draw);
}
export default { render };
