// What the ledger says: by day, model, account and plugin, and how full the budgets are.
import { read } from "./api.js";
import { field, make, table } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

function bar(share, kind = "") {
  const node = (name, attributes, ...children) => {
    const each = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) each.setAttribute(key, value);
    each.append(...children);
    return each;
  };
  const width = Math.max(share ? 1 : 0, Math.min(1, share) * 200);
  return node(
    "svg",
    {
      viewBox: "0 0 200 12",
      width: 200,
      height: 12,
      class: `share ${kind}`,
      "aria-hidden": "true",
    },
    node("rect", { width: 200, height: 12, rx: 3, class: "whole" }),
    node("rect", { width, height: 12, rx: 3 }),
  );
}

const fullness = (share) => (share >= 1 ? "full" : share >= 0.8 ? "nearly" : "");

export async function showSpending(main) {
  const days = make(
    "select",
    {},
    [7, 30, 90, 365].map((each) =>
      make("option", { value: each, selected: each === 30 }, `the last ${each} days`),
    ),
  );
  const box = field("Period, in UTC", days);
  const report = make("div", { className: "charts" });
  const load = async () =>
    report.replaceChildren(...drawn(await read(`spending?days=${days.value}`)));
  days.addEventListener("change", () => load().catch((error) => box.refuse(error.message)));
  main.append(make("h1", {}, "Spending"), make("section", { "aria-label": "Period" }, box), report);
  await load();
}

function drawn(report) {
  const sum = `${report.total} for ${report.calls} ${report.calls === 1 ? "call" : "calls"}${report.notes ? `, ${report.notes}` : ""}`;
  const charts = report.charts
    .filter((chart) => chart.rows.length)
    .map((chart) =>
      table(
        `By ${chart.by}`,
        [chart.by, "", "USD", "calls", ""],
        chart.rows.map((row) => [
          row.name,
          bar(row.share),
          row.amount,
          String(row.calls),
          row.notes,
        ]),
      ),
    );
  const budgets = report.budgets.length
    ? table(
        "Budgets",
        ["budget", "window", "", "full", "spent", "held", "limit"],
        report.budgets.map((each) => [
          each.name,
          each.window,
          bar(each.share, fullness(each.share)),
          `${Math.round(each.share * 100)} %`,
          each.spent,
          each.held,
          each.limit,
        ]),
      )
    : null;
  return [make("p", { className: "sum" }, sum), ...charts, budgets].filter(Boolean);
}
