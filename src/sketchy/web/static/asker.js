// Questions to the server: the newest counts, and an answer to an older one is never shown.

const PAUSE = 80; // milliseconds between questions while a stroke is drawn
const SLOW = 1200; // milliseconds after which a person wants to know

/** `on` has the functions asked, slow, answered(answer, question) and failed(problem, question). */
export class Asker {
  #on;
  #client = crypto.getRandomValues(new Uint32Array(3)).reduce((text, part) => text + part.toString(36), "");
  #number = 0;
  #flight = null; // ends the request on its way
  #timer = 0;
  #next = null;

  constructor(on) {
    this.#on = on;
  }

  /**
   * Ask while a stroke is drawn: after a pause, and when the answer on its way has come.
   *
   * A question is {image: () => promise of a Blob, kind, k, category, since}.
   */
  soon(question) {
    this.#next = question;
    this.#on.asked();
    if (!this.#timer && !this.#flight) this.#timer = setTimeout(() => this.#send(this.#next), PAUSE);
  }

  /** Ask at once; what is on its way is of no interest any more. */
  now(question) {
    this.drop();
    this.#send(question);
  }

  /** Forget every question. */
  drop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#next = null;
    this.#number++;
    this.#flight?.abort();
    this.#flight = null;
  }

  async #send(question) {
    this.#timer = 0;
    this.#next = null;
    const number = ++this.#number;
    const flight = (this.#flight = new AbortController());
    const slow = setTimeout(() => this.#on.slow(), SLOW);
    this.#on.asked();
    const outcome = await this.#fetch(question, flight.signal);
    clearTimeout(slow);
    if (number !== this.#number) return;
    this.#flight = null;
    if (outcome.answer) this.#on.answered(outcome.answer, question);
    else if (outcome.problem) this.#on.failed(outcome.problem, question);
    if (this.#next) this.soon(this.#next);
  }

  async #fetch(question, signal) {
    const wanted = new URLSearchParams({ k: question.k, kind: question.kind, client: this.#client });
    if (question.category) wanted.set("category", question.category);
    try {
      const body = await question.image();
      if (signal.aborted) return {};
      const response = await fetch(`/api/search?${wanted}`, { method: "POST", body, signal });
      const told = await response.json();
      if (response.ok) return { answer: told };
      if (response.status === 409) return {}; // a newer question is on its way
      const reason = told.error[0].toUpperCase() + told.error.slice(1);
      return { problem: { status: response.status, reason } };
    } catch (error) {
      if (signal.aborted) return {};
      return { problem: { status: error.status ?? 0, reason: error.reason ?? "The server does not answer." } };
    }
  }
}
