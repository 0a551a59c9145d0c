// The server's time as this page knows it. Two clocks run: the time of day, which people set, and the time
// since loading, which stops while some devices sleep. Whichever says "longer" is believed, so that a number
// can only look older than it is, never younger.

let serverMs = Number(document.body.dataset.serverMs);
let dayMs = Date.now();
let runMs = performance.now();

export function elapsedSince(mark) {
  return Math.max(0, Date.now() - mark.dayMs, performance.now() - mark.runMs);
}

export function mark() {
  return { dayMs: Date.now(), runMs: performance.now() };
}

// A page may have been on its way for a while; a message of the stream has not.
export function setServerTime(ms) {
  if (ms >= now() || elapsedSince({ dayMs, runMs }) > 60000) {
    serverMs = ms;
    dayMs = Date.now();
    runMs = performance.now();
  }
}

export function now() {
  return serverMs + elapsedSince({ dayMs, runMs });
}
