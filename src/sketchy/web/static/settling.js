// Photos do not move at every moment while a person draws: they wait until the pen rests.

const REST = 350; // milliseconds without movement

/** Holds back what would move the photos. */
export class Settling {
  #show = null;
  #timer = 0;
  #moved = 0;

  constructor(pad) {
    pad.addEventListener("stroke", () => {
      this.#moved = performance.now();
      if (this.#show) this.wait(this.#show);
    });
  }

  /** Call `show()` once the pen has rested; a later call takes its place. */
  wait(show) {
    this.cancel();
    this.#show = show;
    this.#timer = setTimeout(
      () => {
        this.#show = null;
        show();
      },
      Math.max(0, this.#moved + REST - performance.now()),
    );
  }

  /** Drop what is held back, as the stroke has ended and its own photos are on their way. */
  cancel() {
    clearTimeout(this.#timer);
    this.#show = null;
  }
}
