// Sends queries to the server; the response to an older query is never shown.

const PAUSE = 80; // milliseconds between queries while a stroke is drawn
const SLOW = 1200; // milliseconds after which a query counts as slow

/** `on` has the callbacks started(), slow(), succeeded(response, query) and failed(problem, query). */
export class SearchClient {
  #on;
  #client = crypto.getRandomValues(new Uint32Array(3)).reduce((text, part) => text + part.toString(36), "");
  #number = 0; // of the newest query
  #running = null; // the AbortController of the request in flight
  #timer = 0;
  #next = null;

  constructor(on) {
    this.#on = on;
  }

  /**
   * Send a query while a stroke is drawn: after a pause, and once the request in flight has finished.
   *
   * A query is {image: () => promise of a Blob, kind, parameters: [[name, value], ...], since}.
   */
  schedule(query) {
    this.#next = query;
    this.#on.started();
    if (!this.#timer && !this.#running) this.#timer = setTimeout(() => this.#send(this.#next), PAUSE);
  }

  /** Send a query at once, and abort the one in flight. */
  send(query) {
    this.cancel();
    this.#send(query);
  }

  /** Abort the request in flight, and drop scheduled queries. */
  cancel() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#next = null;
    this.#number++;
    this.#running?.abort();
    this.#running = null;
  }

  async #send(query) {
    this.#timer = 0;
    this.#next = null;
    const number = ++this.#number;
    const running = (this.#running = new AbortController());
    const slow = setTimeout(() => this.#on.slow(), SLOW);
    this.#on.started();
    const outcome = await this.#fetch(query, running.signal);
    clearTimeout(slow);
    if (number !== this.#number) return;
    this.#running = null;
    if (outcome.response) this.#on.succeeded(outcome.response, query);
    else if (outcome.problem) this.#on.failed(outcome.problem, query);
    if (this.#next) this.schedule(this.#next);
  }

  async #fetch(query, signal) {
    const parameters = new URLSearchParams({ kind: query.kind, client: this.#client });
    for (const [name, value] of query.parameters) parameters.append(name, value);
    try {
      const body = await query.image();
      if (signal.aborted) return {};
      const response = await fetch(`/api/search?${parameters}`, { method: "POST", body, signal });
      const content = await response.json();
      if (response.ok) return { response: content };
      if (response.status === 409) return {}; // superseded by a newer query
      const reason = content.error[0].toUpperCase() + content.error.slice(1);
      return { problem: { status: response.status, reason } };
    } catch (error) {
      if (signal.aborted) return {};
      return { problem: { status: error.status ?? 0, reason: error.reason ?? "The server does not answer." } };
    }
  }
}
