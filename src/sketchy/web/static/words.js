// The words beside the drawing, and how much it counts what a thing is, against how it lies.

import { Completion } from "./completion.js";
import { find } from "./dom.js";

let known = new Set();
let completion;

/** A group of controls; see `Query`. */
export const words = {
  values() {
    const text = find("#text").value.split(",").map((each) => each.trim());
    const share = find("#share");
    return { text: find("#word").hidden ? [] : text, spatial_share: share.value === share.dataset.usual ? "" : share.value };
  },

  restore(parts) {
    find("#text").value = parts.getAll("text").join(", ");
    find("#share").value = parts.get("spatial_share") ?? find("#share").dataset.usual;
  },
};

/** Call `search()` when the words change, and `schedule()` while the weight does. */
export function connectWords(search, schedule) {
  let asked = "";
  const ask = () => {
    if (find("#text").value === asked) return;
    asked = find("#text").value;
    search();
  };
  completion = new Completion(find("#text"), find("#things"), ask);
  find("#text").addEventListener("input", () => known.has(find("#text").value) && ask());
  find("#text").addEventListener("change", ask);
  find("#share").addEventListener("input", schedule);
}

/** Offer what a model knows by name, and the weight if it can be chosen, as /api/info describes it. */
export function offerWords(info) {
  known = new Set(["", ...info.words]);
  find("#word").hidden = info.words.length === 0;
  completion.names = info.words;
  const share = find("#share");
  find("#weigh").hidden = info.spatial_share === null;
  if (share.dataset.usual !== undefined) return; // after the photos changed
  share.value = info.spatial_share ?? 0;
  share.dataset.usual = share.value; // as the control rounds it
}
