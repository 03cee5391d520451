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
  #last = null; // {query, response} of the query sent last, unless it was cancelled or failed; the response may not be there yet

  constructor(on) {
    this.#on = on;
  }

  /**
   * Send a query while a stroke is drawn: after a pause, and once the request in flight has finished.
   *
   * A query is {image: () => a Blob or a promise of one, or undefined, marks, kind, parameters: [[name, value], ...],
   * since}.
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

  /** Send a query as `send` does, unless it is what was sent last: then that request answers it, if not already there. */
  sendUnlessSent(query) {
    if (!this.#last || !isSame(this.#last.query, query)) return this.send(query);
    this.#unschedule();
    this.#last.query.since = query.since;
    if (this.#last.response) this.#on.succeeded(this.#last.response, this.#last.query);
  }

  #unschedule() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#next = null;
  }

  /** Abort the request in flight, and drop scheduled queries. */
  cancel() {
    this.#unschedule();
    this.#last = null;
    this.#number++;
    this.#running?.abort();
    this.#running = null;
  }

  async #send(query) {
    this.#timer = 0;
    this.#next = null;
    const number = ++this.#number;
    const running = (this.#running = new AbortController());
    const last = (this.#last = { query });
    const slow = setTimeout(() => this.#on.slow(), SLOW);
    this.#on.started();
    const outcome = await this.#fetch(query, running.signal);
    clearTimeout(slow);
    if (number !== this.#number) return;
    this.#running = null;
    this.#last = outcome.response ? Object.assign(last, outcome) : null;
    if (outcome.response) this.#on.succeeded(outcome.response, query);
    else if (outcome.problem) this.#on.failed(outcome.problem, query);
    if (this.#next) this.schedule(this.#next);
  }

  async #fetch(query, signal) {
    const parameters = new URLSearchParams({ kind: query.kind, client: this.#client });
    for (const [name, value] of query.parameters) parameters.append(name, value);
    try {
      const image = query.image?.();
      const body = image instanceof Promise ? await image : image;
      if (signal.aborted) return {};
      const response = await fetch(`/api/search?${parameters}`, { method: "POST", body, signal });
      const content = await response.json();
      if (response.ok) return { response: content };
      if (response.status === 409) return {}; // superseded by a newer query
      const reason = content.error[0].toUpperCase() + content.error.slice(1).replaceAll("`", "");
      return { problem: { status: response.status, reason } };
    } catch (error) {
      if (signal.aborted) return {};
      return { problem: { status: error.status ?? 0, reason: error.reason ?? "The server does not answer." } };
    }
  }
}

function isSame(one, other) {
  const words = ({ kind, parameters }) => JSON.stringify([kind, parameters]);
  const sameMarks = one.marks.length === other.marks.length && one.marks.every((mark, index) => mark === other.marks[index]);
  return sameMarks && words(one) === words(other);
}
