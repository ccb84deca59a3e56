// A clock that stands still until it is moved.

export class TestClock {
  #timers = new Set();
  #milliseconds = 0;

  constructor(start = 1_795_000_000) {
    this.start = start;
  }

  unixTime() {
    return Math.floor(this.start + this.#milliseconds / 1000);
  }

  elapsed() {
    return this.#milliseconds;
  }

  after(milliseconds, callback) {
    const timer = { at: this.#milliseconds + milliseconds, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How many timers are set. */
  get waiting() {
    return this.#timers.size;
  }

  /** Moves on and calls what is due, in its order. */
  advance(seconds) {
    const end = this.#milliseconds + seconds * 1000;
    for (;;) {
      const next = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers.delete(next);
      this.#milliseconds = Math.max(this.#milliseconds, next.at);
      next.callback();
    }
    this.#milliseconds = end;
  }
}

/** Lets everything else go on until something is true. Only what will never be true is waited for by the machine's clock. */
export async function until(isTrue, what = String(isTrue)) {
  const giveUp = Date.now() + 60_000;
  for (let round = 0; Date.now() < giveUp; round += 1) {
    if (await isTrue()) return;
    await new Promise((resolve) => (round < 1000 ? setImmediate(resolve) : setTimeout(resolve, 5)));
  }
  throw new Error(`never: ${what}`);
}

/** Lets everything else that is ready go on. */
export async function settle() {
  for (let round = 0; round < 50; round += 1) await new Promise(setImmediate);
}
