// The first page: the graphs, a form to start a run, the open runs and the stored threads.
import { ask, listen, read, send } from "./api.js";
import { button, field, make, picture, status, table, time } from "./dom.js";
import { inputForm } from "./form.js";

export async function showHome(main) {
  const page = make("div", { className: "home" });
  main.append(page);
  let studio = null;
  let chosen = sessionStorage.getItem("graph");
  const runs = make("section", { "aria-label": "Open runs" });
  const draw = () => {
    const graph = studio.graphs.find((each) => each.name === chosen) ?? studio.graphs[0];
    page.replaceChildren(
      ...(graph ? graphPage(graph, studio, choose, runs) : [make("p", {}, "There is no graph.")]),
    );
    drawRuns(runs, studio);
  };
  const choose = (name) => {
    chosen = name;
    sessionStorage.setItem("graph", name);
    draw();
  };
  const load = async () => {
    const before = JSON.stringify(studio?.graphs);
    studio = await read("studio");
    document.querySelector('nav a[href="#/spending"]').hidden = !studio.has_ledger;
    // A form that is being filled in stays, unless its graph is another one now.
    if (JSON.stringify(studio.graphs) === before) drawRuns(runs, studio);
    else draw();
  };
  await load();
  return listen("changes", { changed: load });
}

function graphPage(graph, studio, choose, runs) {
  const names =
    studio.graphs.length > 1
      ? make(
          "div",
          { className: "bar", role: "group", "aria-label": "Graphs" },
          studio.graphs.map((each) =>
            button(`${each.name}${each.problem ? " ✗" : ""}`, () => choose(each.name), {
              "aria-pressed": String(each === graph),
            }),
          ),
        )
      : null;
  if (graph.problem)
    return [
      make(
        "section",
        { "aria-label": graph.name },
        names,
        make("h1", {}, graph.name),
        make("p", { className: "error box", role: "alert" }, graph.problem),
        make("p", { className: "hint" }, "Change the file; this page follows by itself."),
      ),
      runs,
    ];
  const begin = async (body) => {
    const context = form.readContext();
    const answer = await send("walks", { graph: graph.name, context, ...body });
    location.hash = `#/run/${(await answer.json()).id}`;
  };
  const form = inputForm(graph.fields, graph.context, (input, thread) =>
    begin({ input, ...(thread ? { thread } : {}) }),
  );
  const may = studio.may_change;
  return [
    make(
      "section",
      { "aria-label": graph.name },
      names,
      make("h1", {}, graph.name),
      make(
        "div",
        { className: "start" },
        make(
          "div",
          {},
          may ? form : make("p", {}, "You may look at stored threads, but not start runs."),
          may ? savedRun(begin) : null,
          runs,
          threads(graph, begin, may ? form : null),
        ),
        make("div", { className: "graph" }, picture(graph.svg)),
      ),
    ),
  ];
}

// A run that was saved as a file goes on where it stood.
function savedRun(begin) {
  const file = make("input", { type: "file", accept: ".json,application/json" });
  const box = field("Or open a saved run", file);
  file.addEventListener("change", async () => {
    box.refuse("");
    try {
      await begin({ saved: await file.files[0].text() });
    } catch (error) {
      box.refuse(error.message);
    }
    file.value = "";
  });
  return box;
}

function threads(graph, begin, form) {
  const words = make("input", { type: "search", placeholder: "an id, or words of a message" });
  const list = make("div", { role: "status" });
  const box = field("Search in stored threads", words);
  const refuse = (error) => box.refuse(error.message);
  let others = false; // whether the threads of other graphs are shown too
  const load = async () => {
    box.refuse("");
    const query = new URLSearchParams({ graph: graph.name, words: words.value });
    if (others) query.set("others", "yes");
    const { threads: found, left_out: leftOut } = await read(`threads?${query}`);
    const nothing = words.value ? "No thread has these words." : "Nothing is stored yet.";
    list.replaceChildren(
      found.length
        ? threadTable(found, begin, form, refuse)
        : make("p", { className: "hint" }, leftOut ? "No thread of this graph is stored yet." : nothing),
      ...(leftOut || others ? [otherThreads(leftOut)] : []),
    );
  };
  const otherThreads = (leftOut) => {
    const label = others
      ? "Show the threads of this graph only"
      : `Show the threads of other graphs too (${leftOut})`;
    return button(label, () => {
      others = !others;
      load().catch(refuse);
    });
  };
  words.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      load().catch(refuse);
    }
  });
  load().catch(refuse);
  return make("section", { "aria-label": "Stored threads" }, box, list);
}

function threadTable(found, begin, form, refuse) {
  return table(
    "Stored threads",
    ["thread", "changed", "status", "cost", ""],
    found.map((thread) => [
      make(
        "span",
        {},
        thread.id,
        thread.also.length
          ? make("small", { className: "hint" }, ` or of ${thread.also.join(", ")}, which has the same nodes`)
          : null,
      ),
      time(thread.at),
      thread.unknown.length
        ? `of another graph: ${thread.unknown.join(", ")}`
        : status(thread.status),
      thread.cost,
      make(
        "span",
        { className: "bar" },
        button("Open", () => begin({ thread: thread.id }).catch(refuse), {
          "aria-label": `Open ${thread.id}`,
        }),
        form
          ? button("New run here", () => form.useThread(thread.id), {
              "aria-label": `New run here: ${thread.id}`,
            })
          : null,
      ),
    ]),
  );
}

// A run is kept nowhere but in the studio, unless the person has saved it.
function closeRun(walk) {
  const cost = walk.cost === "$0" ? "" : ` It has cost ${walk.cost}.`;
  const question = `Close this run?${cost} What was not saved or written into a thread is gone.`;
  if (confirm(question)) ask(`walks/${walk.id}`, { method: "DELETE" });
}

function drawRuns(section, studio) {
  if (!studio.walks.length) return section.replaceChildren();
  section.replaceChildren(
    table(
      "Open runs",
      ["run", "step", "graph", "started", "status", "cost", ""],
      studio.walks.map((walk) => [
        make("a", { href: `#/run/${walk.id}` }, walk.title || walk.at),
        walk.at,
        walk.graph + (walk.thread ? `, thread ${walk.thread}` : ""),
        time(walk.started),
        status(walk.status),
        walk.cost,
        studio.may_change
          ? button("Close", () => closeRun(walk), { "aria-label": `Close ${walk.title} ${walk.at}` })
          : "",
      ]),
    ),
  );
}
