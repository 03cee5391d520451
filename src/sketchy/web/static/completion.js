// A list of names below a text field, to choose from by keyboard, mouse or finger. The field may hold several names.

const MOST = 8; // names at a time

export class Completion {
  #field;
  #list;
  #chosen;
  #names = [];
  #active = -1; // index of the option that Enter chooses

  /** Calls `chosen()` after a name was put into the field. */
  constructor(field, list, chosen) {
    this.#field = field;
    this.#list = list;
    this.#chosen = chosen;
    field.addEventListener("input", () => this.#offer(this.#last ? matches(this.#names, this.#last) : []));
    field.addEventListener("keydown", (event) => this.#key(event) && event.preventDefault());
    field.addEventListener("blur", () => this.#offer([]));
    list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
    list.addEventListener("click", ({ target }) => target.matches("[role=option]") && this.#choose(target));
  }

  /** Set the names, sorted. */
  set names(names) {
    this.#names = names;
  }

  /** The name that is being written, the last of those in the field. */
  get #last() {
    return this.#field.value.split(",").at(-1).trim().toLowerCase();
  }

  get #options() {
    return [...this.#list.children];
  }

  /** Handle a key of the field; return whether the browser is to do nothing else. */
  #key({ key, isComposing }) {
    if (isComposing) return false;
    if (key === "ArrowDown" || key === "ArrowUp") {
      if (this.#list.hidden) this.#offer(matches(this.#names, this.#last));
      this.#move(key === "ArrowDown" ? 1 : -1);
      return true;
    }
    const wasOpen = !this.#list.hidden;
    const option = this.#options[this.#active];
    if (key === "Enter" && option) this.#choose(option);
    else if (key === "Enter" || key === "Escape") this.#offer([]);
    return Boolean(option && key === "Enter") || (wasOpen && key === "Escape");
  }

  #move(step) {
    const count = this.#options.length;
    if (!count) return;
    this.#options[this.#active]?.setAttribute("aria-selected", "false");
    this.#active = this.#active < 0 && step < 0 ? count - 1 : (this.#active + step + count) % count;
    const option = this.#options[this.#active];
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    this.#field.setAttribute("aria-activedescendant", option.id);
  }

  #choose(option) {
    const before = this.#field.value.split(",").slice(0, -1);
    this.#field.value = [...before.map((name) => name.trim()), option.textContent].join(", ");
    this.#offer([]);
    this.#chosen();
  }

  /** Show names below the field; none, or only the one that is written already, closes the list. */
  #offer(names) {
    const isWritten = names.length === 1 && names[0] === this.#last;
    this.#list.replaceChildren(...(isWritten ? [] : names).map((name, index) => optionOf(name, `${this.#list.id}-${index}`)));
    this.#list.hidden = this.#options.length === 0;
    this.#list.scrollTop = 0;
    this.#active = -1;
    this.#field.removeAttribute("aria-activedescendant");
    this.#field.setAttribute("aria-expanded", String(!this.#list.hidden));
  }
}

/** The names that begin with a text, then those of which a word does, then those that contain it; short ones first. */
function matches(names, text) {
  const rank = (name) => (name.startsWith(text) ? 0 : name.includes(` ${text}`) ? 1 : 2);
  const found = names.filter((name) => name.toLowerCase().includes(text));
  return (text ? found.sort((a, b) => rank(a) - rank(b) || a.length - b.length) : found).slice(0, MOST);
}

function optionOf(name, id) {
  const option = document.createElement("li");
  option.id = id;
  option.textContent = name;
  option.setAttribute("role", "option"); // Firefox has the property only from 119 on
  option.setAttribute("aria-selected", "false");
  return option;
}
