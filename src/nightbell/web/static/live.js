// The live stream. An event says that something changed; what it looks like now is drawn by the server and put
// in place whole, so that this page and a freshly loaded one can not differ.

import { bringUpToDate, putAlarmInWords } from "./parts.js";
import { loadChart } from "./chart.js";
import { elapsedSince, mark, setServerTime } from "./clock.js";
import { soundRing, stopSound } from "./sound.js";
import { heardHeartbeat, isWatching } from "./watch.js";
import { say } from "./words.js";

const REOPEN_MIN_MS = 1000;
const REOPEN_MAX_MS = 15000;
const SILENT_MS = 25000;
const REMEMBERED_MAX = 500;
const NEWS_MS = 5 * 60000;

const page = document.getElementById("chart");
const news = document.getElementById("news");
const ringing = new Set();
const rung = new Set();
const unseen = new Set();

let stream = null;
let lastWord = mark();
let opened = mark();
let reopenAfterMs = REOPEN_MIN_MS;
let closedForGood = false;
let newsTimer = 0;

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(String(answer.status));
}

// A receipt that is lost is not sent again: the platform then knows less, which is true.
function sendReceipt(id, state) {
  post(`/v1/notifications/${id}/receipt`, { state }).catch(() => undefined);
}

// On a screen that nobody looks at an alarm was delivered, not seen. Seen is when a person stirs.
function somebodyIsHere() {
  if (document.visibilityState !== "visible") return;
  for (const id of unseen) sendReceipt(id, "seen");
  unseen.clear();
}

function remember(id) {
  rung.add(id);
  if (rung.size > REMEMBERED_MAX) rung.delete(rung.values().next().value);
}

// That it is over, or that a clock is wrong, is said in words, without a sound.
function tellNews(text) {
  news.textContent = text;
  clearTimeout(newsTimer);
  newsTimer = setTimeout(() => { news.textContent = ""; }, NEWS_MS);
}

function told(notification, { fresh }) {
  if (rung.has(notification.id)) return;
  remember(notification.id);
  sendReceipt(notification.id, "delivered");
  unseen.add(notification.id);
  const sounds = notification.kind === "ring" || notification.kind === "repeat";
  if (fresh && !sounds) tellNews(notification.text);
  if (!sounds || !notification.urgent) return;
  ringing.add(notification.alarm);
  soundRing(notification.condition.startsWith("urgent"));
  if (fresh) putAlarmInWords(notification);
}

function noLongerRings(alarm) {
  ringing.delete(alarm);
  if (ringing.size === 0 && isWatching()) stopSound();
}

const on = {
  hb(event) {
    setServerTime(event.server_ms);
    heardHeartbeat({ watching: event.watching, why: event.watching ? "" : say("late") });
  },
  snapshot(event) {
    setServerTime(event.server_ms);
    heardHeartbeat({ watching: event.watching, why: event.watching ? "" : say("late") });
    const open = new Set();
    for (const person of event.people) {
      for (const alarm of person.alarms) if (alarm.state === "ringing") open.add(alarm.id);
      for (const notification of person.told) {
        if (open.has(notification.alarm)) told(notification, { fresh: false });
      }
    }
    for (const alarm of ringing) if (!open.has(alarm)) noLongerRings(alarm);
    bringUpToDate();
    loadChart();
  },
  reading(event) {
    bringUpToDate();
    if (page && Number(page.dataset.sharer) === event.sharer) loadChart();
  },
  alarm(event) {
    if (event.state !== "ringing") noLongerRings(event.id);
    bringUpToDate();
  },
  answer(event) {
    if (event.by) noLongerRings(event.alarm);
    bringUpToDate();
  },
  notification(event) {
    told(event, { fresh: true });
    bringUpToDate();
  },
  system(event) {
    if (event.kind === "closing") return;
    closedForGood = true;
    stream.close();
    heardHeartbeat({ watching: false, why: event.text });
    if (event.kind === "signed_out") location.assign("/sign-in");
  },
};

function open() {
  if (stream) stream.close();
  opened = mark();
  stream = new EventSource("/v1/stream");
  for (const [name, take] of Object.entries(on)) {
    stream.addEventListener(name, (message) => {
      lastWord = mark();
      reopenAfterMs = REOPEN_MIN_MS;
      take(JSON.parse(message.data));
    });
  }
}

// The browser opens a broken stream again by itself, but not one that was refused, and it does not notice one
// that hangs. So the page looks once a second.
export function keepLive() {
  if (!stream || closedForGood) return;
  const refused = stream.readyState === EventSource.CLOSED && elapsedSince(opened) > reopenAfterMs;
  const hangs = elapsedSince(lastWord) > SILENT_MS && elapsedSince(opened) > REOPEN_MAX_MS;
  if (!refused && !hangs) return;
  reopenAfterMs = Math.min(REOPEN_MAX_MS, reopenAfterMs * (1.5 + Math.random()));
  open();
}

async function answer(event) {
  const form = event.target.closest("form[data-live]");
  if (!form) return;
  event.preventDefault();
  const button = form.querySelector("button");
  const bar = form.closest("[data-alarm]");
  button.disabled = true;
  try {
    const path = form.dataset.live === "undo" ? "answer/undo" : "answer";
    await post(`/v1/alarms/${bar.dataset.alarm}/${path}`, {});
    if (form.dataset.live === "answer") noLongerRings(bar.dataset.alarm);
  } catch {
    button.disabled = false;
    bar.querySelector("p").textContent = say("answer_failed");
    return;
  }
  await bringUpToDate();
}

export function startLive() {
  if (document.body.dataset.renew) post("/v1/grants/renew", {}).catch(() => undefined);
  document.addEventListener("submit", answer);
  for (const stir of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) {
    document.addEventListener(stir, somebodyIsHere, { passive: true });
  }
  open();
}
