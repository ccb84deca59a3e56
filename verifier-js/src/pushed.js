/**
 * Places that the stream said are set. They are laid over the polled lists until a list is there that is newer than the word.
 */

/** Most places that are remembered, of all lists together. */
const MAX_PLACES = 100_000;

export class PushedPlaces {
  #lists = new Map(); // by uri, place -> when it was heard, in seconds since 1970
  #count = 0;

  /** Remembers places. False: there are too many, so the list itself must be fetched. */
  add(uri, indices, heardAt) {
    if (this.#count + indices.length > MAX_PLACES) return false;
    const places = this.#lists.get(uri) ?? new Map();
    this.#lists.set(uri, places);
    this.#count -= places.size;
    for (const index of indices) places.set(index, heardAt);
    this.#count += places.size;
    return true;
  }

  has(uri, index) {
    return this.#lists.get(uri)?.has(index) ?? false;
  }

  /** A list is there that was made at `issuedAt`: whatever was heard before stands in it. */
  settle(uri, issuedAt) {
    const places = this.#lists.get(uri);
    if (!places) return;
    this.#count -= places.size;
    for (const [index, heardAt] of places) {
      if (heardAt <= issuedAt) places.delete(index);
    }
    this.#count += places.size;
    if (places.size === 0) this.#lists.delete(uri);
  }

  /** Forgets what was heard before this, in seconds since 1970. */
  expire(before) {
    for (const uri of [...this.#lists.keys()]) this.settle(uri, before);
  }
}
