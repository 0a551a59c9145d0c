// Every number carries its age, reckoned here, every second, whether or not the server is there.
// The two limits are those of show/readings.py: struck through from 11 min, words instead from 15 min.

import { now } from "./clock.js";
import { ageText, spanText } from "./words.js";

const OLD_AFTER_MS = 11 * 60000;
const GONE_AFTER_MS = 15 * 60000;

function put(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

export function showAges() {
  const nowMs = now();
  for (const reading of document.querySelectorAll(".reading")) {
    const measuredMs = Number(reading.dataset.measuredMs);
    if (measuredMs <= 0) continue;
    const ageMs = Math.max(0, nowMs - measuredMs);
    const state = ageMs >= GONE_AFTER_MS ? "gone" : ageMs >= OLD_AFTER_MS ? "old" : "fresh";
    if (reading.dataset.state !== state) reading.dataset.state = state;
    put(reading.querySelector(".age"), ageText(ageMs));
    put(reading.querySelector(".gone-age"), spanText(ageMs));
  }
}

// What the tab itself says: the first reading of the page, unless it is too old to be said.
export function headline() {
  const reading = document.querySelector(".person-now, .tile .reading");
  if (!reading || reading.dataset.state !== "fresh" || !document.querySelector(".person-now")) return "";
  return reading.querySelector(".number").textContent;
}
