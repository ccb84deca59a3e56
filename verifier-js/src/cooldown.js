/** When the issuer may be asked again, so that tokens with invented `kid`s cannot make us flood it. All times in milliseconds. */

/** A token bucket: full at first, one token back after each equal share of a minute. */
export class TokenBucket {
  #capacity;
  #tokens;
  #countedAt = 0;

  constructor(capacity) {
    this.#capacity = capacity;
    this.#tokens = capacity;
  }

  /** Takes a token, if there is one. */
  take(now) {
    const share = 60_000 / this.#capacity;
    while (this.#tokens < this.#capacity && now - this.#countedAt >= share) {
      this.#tokens += 1;
      this.#countedAt += share;
    }
    if (this.#tokens === this.#capacity) this.#countedAt = now;
    if (this.#tokens === 0) return false;
    this.#tokens -= 1;
    return true;
  }
}

/** Names that are remembered for a while; when there are too many, the one used longest ago goes first. */
export class RecentNames {
  #names = new Map(); // in the order of use
  #capacity;
  #life;

  constructor(capacity, life) {
    this.#capacity = capacity;
    this.#life = life;
  }

  /** How many are remembered now. */
  count(now) {
    return [...this.#names.values()].filter((until) => now < until).length;
  }

  has(name, now) {
    const until = this.#names.get(name);
    if (until === undefined) return false;
    this.#names.delete(name);
    if (now >= until) return false;
    this.#names.set(name, until);
    return true;
  }

  add(name, now) {
    this.#names.delete(name);
    if (this.#names.size >= this.#capacity) this.#names.delete(this.#names.keys().next().value);
    this.#names.set(name, now + this.#life);
  }
}
