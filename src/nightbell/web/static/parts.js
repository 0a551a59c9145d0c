// Parts of a page that the server draws anew. One request at a time; what came meanwhile is asked for once more.

import { showAges } from "./ages.js";
import { say } from "./words.js";

const UNDO_S = 5;

let busy = false;
let again = false;
let undoTimer = 0;

const drawn = new WeakMap();

function keyOf(element) {
  return element && (element.id || element.getAttribute("href") || element.form?.action || "");
}

// Only what differs is replaced, and the focus stays where it was: a screen reader is not woken by a redraw.
function put(place, html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  const same = drawn.has(place) ? drawn.get(place) === html : place.innerHTML === fresh.innerHTML;
  drawn.set(place, html);
  if (same) return false;
  const focused = place.contains(document.activeElement) ? keyOf(document.activeElement) : "";
  place.replaceChildren(fresh.content);
  const again = [...place.querySelectorAll("a, button, summary")].find((one) => keyOf(one) === focused);
  if (focused && again) again.focus({ preventScroll: true });
  return true;
}

async function fetchPart(path) {
  const answer = await fetch(path, { headers: { accept: "text/html" } });
  if (answer.status === 401) location.assign("/sign-in");
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.text();
}

function countUndo() {
  clearInterval(undoTimer);
  const button = document.querySelector("form[data-live='undo'] button");
  if (!button) return;
  let left = UNDO_S;
  button.textContent = say("undo_left", { n: left });
  undoTimer = setInterval(() => {
    left -= 1;
    button.textContent = say("undo_left", { n: Math.max(0, left) });
    if (left > 0) return;
    clearInterval(undoTimer);
    bringUpToDate();
  }, 1000);
}

export async function bringUpToDate() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  const places = [...document.querySelectorAll("[data-fragment]")];
  try {
    const bars = document.getElementById("alarms");
    if (put(bars, await fetchPart("/fragments/bars"))) countUndo();
    await Promise.all(places.map(async (place) => put(place, await fetchPart(place.dataset.fragment))));
    showAges();
  } catch {
    // The stream, the ages and the watch over the server tell the truth about what is missing.
  } finally {
    busy = false;
  }
  if (again) {
    again = false;
    bringUpToDate();
  }
}

// An alarm is shown at once in the words it came with; the bar with its button follows from the server.
export function putAlarmInWords(notification) {
  const bars = document.getElementById("alarms");
  if (bars.querySelector(`[data-alarm="${notification.alarm}"]`)) return;
  const bar = document.createElement("section");
  bar.className = `alarm-bar alarm-${notification.condition.startsWith("urgent") ? "act" : "silence"}`;
  bar.dataset.alarm = notification.alarm;
  const inner = document.createElement("div");
  inner.className = "alarm-bar-inner";
  const title = document.createElement("h2");
  title.textContent = notification.subject;
  inner.append(title);
  bar.append(inner);
  bars.append(bar);
  drawn.set(bars, "");
}
