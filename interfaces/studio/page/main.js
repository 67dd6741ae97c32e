// Which page is shown: `#/` the runs, `#/run/ID` one run, `#/spending` what was spent.
import { make } from "./dom.js";
import { showHome } from "./home.js";
import { showSpending } from "./spending.js";
import { showWalk } from "./walk.js";

const main = document.getElementById("main");
let leave = null;

async function show() {
  leave?.();
  leave = null;
  const [, page, id] = location.hash.split("/");
  for (const link of document.querySelectorAll("nav a"))
    link.toggleAttribute("aria-current", link.hash === `#/${page ?? ""}`);
  main.replaceChildren();
  document.title = "turngraph studio";
  try {
    const shown =
      page === "run"
        ? showWalk(main, id)
        : page === "spending"
          ? showSpending(main)
          : showHome(main);
    const left = await shown;
    if (location.hash.split("/")[2] === id) leave = left;
    else left?.();
  } catch (error) {
    main.replaceChildren(
      make("p", { className: "error box", role: "alert" }, error.message),
      make("p", {}, make("a", { href: "#/" }, "All runs")),
    );
  }
}

addEventListener("hashchange", () => {
  main.focus();
  show();
});
show();
