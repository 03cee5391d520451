// Suggestions for who does not know what to draw.

import { find } from "./dom.js";

const SHOWN = 3;
const THINGS = [
  "cat", "sailboat", "umbrella", "bicycle", "chair", "giraffe", "teapot", "windmill", "mushroom", "airplane", "guitar",
  "owl", "castle", "rabbit", "butterfly", "hot-air balloon", "snail", "palm tree", "shoe", "church",
];

let things = shuffled(THINGS);

/** Call `choose()` when a suggestion is clicked; the sheet then says what to draw. */
export function connectPrompts(choose) {
  find("#prompts").addEventListener("click", (event) => {
    if (!event.target.matches("button")) return;
    find("#hint").textContent = `Draw ${event.target.textContent}`;
    choose();
  });
  find("#other-prompts").addEventListener("click", () => {
    things = [...things.slice(SHOWN), ...things.slice(0, SHOWN)];
    show();
  });
  show();
}

/** Suggest what a gallery shows, if it has categories. */
export function suggest(categories) {
  if (!categories.length) return;
  things = shuffled(categories.map(({ name }) => name.replace(/_?\(.*\)/, "").replaceAll("_", " ")));
  show();
}

function show() {
  const buttons = things.slice(0, SHOWN).map((thing) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${/^[aeiou]/.test(thing) ? "an" : "a"} ${thing}`;
    return button;
  });
  find("#prompts").replaceChildren(...buttons);
}

function shuffled(list) {
  return list.map((item) => [Math.random(), item]).sort(([a], [b]) => a - b).map(([, item]) => item);
}
