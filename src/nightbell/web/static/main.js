// Where a page begins. The server draws everything a page shows; these modules keep it true: ages, the watch
// over the server, the live stream, the sound.

import { showAges } from "./ages.js";
import { startChart } from "./chart.js";
import { mark, elapsedSince } from "./clock.js";
import { keepLive, startLive } from "./live.js";
import { startPush } from "./push.js";
import { startSmall } from "./small.js";
import { startSound } from "./sound.js";
import { showWatch } from "./watch.js";

const RELOAD_AFTER_MS = 2000;
const signedIn = document.body.dataset.signedIn === "yes";

let lastTick = mark();

function tick() {
  // After a sleep the clocks jump; what was frozen is old now, and is shown so before anything else happens.
  lastTick = mark();
  showAges();
  if (!signedIn) return;
  showWatch();
  keepLive();
}

startSmall();
if (signedIn) {
  startSound();
  startChart();
  startLive();
}
startPush();
tick();

try {
  new Worker(new URL("./ticker.js", import.meta.url)).addEventListener("message", tick);
} catch {
  setInterval(tick, 1000);
}
document.addEventListener("visibilitychange", tick);
window.addEventListener("focus", tick);
document.addEventListener("resume", tick);
window.addEventListener("pageshow", (event) => {
  // Back from the browser's own store of pages: everything on it is from then.
  if (event.persisted && elapsedSince(lastTick) > RELOAD_AFTER_MS) location.reload();
});
