// Data that several panels share: loaded once, loaded again when the server says that it changed.

import * as live from "./live.js";

const PAUSE_MS = 900;

/**
 * Something that is loaded. Panels listen; each hears {data, error, stale}. `events` are the live
 * events after which it is loaded again, once in `pause` milliseconds at most and not in a hidden tab.
 */
export class Source {
  constructor(load, events = ["status"], pause = PAUSE_MS) {
    this.load = load;
    this.pause = pause;
    this.events = new Set(events);
    this.state = { data: undefined, error: null, loading: true };
    this.listeners = new Set();
    this.last = 0;
    this.timer = 0;
    this.turn = 0;
    live.listen((event) => {
      if (event === "reload" || this.events.has(event)) this.soon();
    });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.missed) this.soon();
    });
    this.refresh();
  }

  /** Call something now, and with every change. */
  listen(call) {
    this.listeners.add(call);
    call(this.state);
    return () => this.listeners.delete(call);
  }

  /** Load again, soon: many events are one load. */
  soon() {
    this.missed = true;
    if (this.timer || document.hidden) return;
    const wait = Math.max(0, this.last + this.pause - performance.now());
    this.timer = setTimeout(() => this.refresh(), wait);
  }

  /** Load again. A load that was overtaken by a later one is forgotten. */
  async refresh({ anew = false } = {}) {
    clearTimeout(this.timer);
    this.timer = 0;
    this.missed = false;
    this.last = performance.now();
    const turn = ++this.turn;
    if (anew) this.tell({ data: undefined, error: null, loading: true });
    else this.tell({ ...this.state, loading: true });
    let found;
    try {
      const data = await this.load();
      found = { data, error: null, loading: false };
    } catch (error) {
      found = { ...this.state, error, loading: false };
    }
    // Outside of the try: what fails in drawing is a mistake of ours, and no trouble of the server's.
    if (turn === this.turn) this.tell(found);
  }

  tell(state) {
    this.state = state;
    for (const call of this.listeners) call(state);
  }
}
