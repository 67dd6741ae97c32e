// The pauses before a call to the model is sent again: why, and for how long still.
import { make } from "./elements.js";

// Returns an element whose `show` draws `[{text, seconds}]`; `root` is marked as long as there are any.
export function pausesBox(root) {
  const box = make("div", { className: "ts-pauses", role: "status" });
  let timer = null;
  box.show = (pauses) => {
    clearInterval(timer);
    const ends = pauses.map(({ seconds }) => performance.now() + 1000 * seconds);
    // A screen reader reads the sentence once, and not every second.
    const left = pauses.map(() => make("span", { "aria-hidden": "true" }));
    box.replaceChildren(...pauses.map(({ text }, n) => make("p", {}, `${text} `, left[n])));
    root.toggleAttribute("data-retrying", pauses.length > 0);
    const count = () => ends.forEach((end, n) => {
      const seconds = Math.ceil((end - performance.now()) / 1000);
      left[n].textContent = seconds > 0 ? `(${seconds} s left)` : "";
    });
    count();
    if (pauses.length) timer = setInterval(count, 250);
  };
  return box;
}
