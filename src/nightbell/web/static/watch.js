// The page's own dead man's timer. Every heartbeat of the stream proves that the alarm path works; without one
// for 30 s the page says that it is trying, without one for 75 s that nobody watches. Promised are 90 s: the
// rest is for a late tick.

import { elapsedSince, mark } from "./clock.js";
import { soundLost, stopSound } from "./sound.js";
import { clockText, say, spanText } from "./words.js";

const TRYING_AFTER_MS = 30000;
const LOST_AFTER_MS = 75000;

const pill = document.getElementById("watch");
const pillText = document.getElementById("watch-text");
const pillAge = document.getElementById("watch-age");
const said = document.getElementById("watch-said");
const strip = document.getElementById("trying");
const lostPlace = document.getElementById("lost");
const title = document.title;

let lastSign = mark();
let everSeen = false;
let serverSaysBlind = false;
let serverSays = "";
let state = "";
let quiet = false;

export function heardHeartbeat({ watching, why }) {
  serverSaysBlind = !watching;
  serverSays = why || "";
  if (watching) {
    if (state === "lost") cameBack(elapsedSince(lastSign));
    lastSign = mark();
    everSeen = true;
  }
  showWatch();
}

function cameBack(blindMs) {
  quiet = false;
  stopSound();
  strip.textContent = say("watch_back", { age: spanText(blindMs) });
  strip.dataset.back = "yes";
  setTimeout(() => {
    if (strip.dataset.back) {
      delete strip.dataset.back;
      strip.textContent = "";
    }
  }, 60000);
  document.dispatchEvent(new CustomEvent("nightbell:back"));
}

function stateNow() {
  const silentMs = elapsedSince(lastSign);
  if (silentMs >= LOST_AFTER_MS) return "lost";
  if (silentMs >= TRYING_AFTER_MS || serverSaysBlind) return "trying";
  return everSeen ? "watching" : "unknown";
}

export function showWatch() {
  if (!pill) return;
  const next = stateNow();
  const age = next === "watching" ? say("watch_seen", { age: spanText(elapsedSince(lastSign)) }) : "";
  if (pillAge.textContent !== age) pillAge.textContent = age;
  if (next === state) return;
  const before = state;
  state = next;
  pill.dataset.state = next;
  pillText.textContent = say(`watch_${next}`);
  said.textContent = say(`watch_${next}`);
  if (!strip.dataset.back) strip.textContent = next === "trying" ? serverSays || say("trying") : "";
  document.title = next === "lost" ? `${say("watch_lost")} · ${say("brand")}` : title;
  if (next === "lost") showLost();
  else if (before === "lost") lostPlace.replaceChildren();
}

function showLost() {
  const page = document.getElementById("lost-template").content.cloneNode(true);
  page.getElementById("lost-since").textContent = say("lost_since", {
    time: clockText(Date.now() - elapsedSince(lastSign)),
  });
  const names = [...document.querySelectorAll("[data-name]")].map((one) => one.dataset.name);
  if (names.length > 0) page.getElementById("lost-who").textContent = say("lost_do_check_who", { name: names.join(", ") });
  page.getElementById("lost-quiet").addEventListener("click", () => {
    quiet = true;
    stopSound();
    lostPlace.replaceChildren();
  });
  strip.textContent = say("watch_lost");
  lostPlace.replaceChildren(page);
  lostPlace.querySelector("button").focus({ preventScroll: true });
  if (!quiet) soundLost();
}

export function isWatching() {
  return state === "watching";
}
