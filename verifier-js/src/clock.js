/** Where the verifier takes the time from. Give your own to test expiry and caching. */

/** The machine's own clock. Its timers do not keep a Node.js process alive. */
export const systemClock = {
  /** Seconds since 1970, to compare with `exp`, `nbf` and `iat`. */
  unixTime: () => Math.floor(Date.now() / 1000),
  /** Milliseconds since any fixed moment. It never goes back, so what is cached ages even when somebody sets the machine's clock. */
  elapsed: () => performance.now(),
  /** Calls back after so many milliseconds, unless what it gives back is called before. */
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    timer.unref?.();
    return () => clearTimeout(timer);
  },
};

/**
 * Waits for `work` so long at most; then the signal that it was given is aborted, and this rejects. `work` may go on, but nobody
 * hears of it.
 */
export async function within(clock, milliseconds, work) {
  const controller = new AbortController();
  let cancel;
  const late = new Promise((_, reject) => {
    cancel = clock.after(milliseconds, () => {
      controller.abort();
      reject(new Error("it took too long"));
    });
  });
  try {
    return await Promise.race([work(controller.signal), late]);
  } finally {
    cancel();
  }
}
