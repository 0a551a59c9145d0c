// Pushes to this device: turned on and off in Settings, and looked after on every page that is opened, for a
// browser may end or replace a subscription without a word.
//
// Whose pushes this browser shows is remembered here. Somebody else who signs in on it neither gets nor sees them.

import { say } from "./words.js";

const CHANNEL = "web_push";
const OWNER = "nightbell-push-owner";
const ADDRESS = "nightbell-push-address";
const NUMBER = "nightbell-push-number";
const LEAVE_MS = 3000;

const me = document.body.dataset.me;
const key = document.body.dataset.pushKey;
const card = document.getElementById("push");
const strip = document.getElementById("push-stopped");

let registration = null;
let installing = null;

function remembered(name) {
  try {
    return localStorage.getItem(name) || "";
  } catch {
    return "";
  }
}

function remember(owner, address, number) {
  try {
    for (const [name, value] of [[OWNER, owner], [ADDRESS, address], [NUMBER, number]]) {
      if (value) localStorage.setItem(name, value);
      else localStorage.removeItem(name);
    }
  } catch {
    // Without a store this device only forgets to look after its subscription.
  }
}

function keyBytes() {
  const plain = atob(key.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function isOurs(subscription) {
  const under = subscription.options && subscription.options.applicationServerKey;
  if (!under) return true;
  const [wanted, found] = [keyBytes(), new Uint8Array(under)];
  return wanted.length === found.length && wanted.every((byte, at) => byte === found[at]);
}

const BROWSERS = [["Edg", "Edge"], ["OPR", "Opera"], ["SamsungBrowser", "Samsung Internet"], ["FxiOS|Firefox", "Firefox"], ["CriOS|Chrom", "Chrome"], ["Safari", "Safari"]];
const SYSTEMS = [["iPhone", "iPhone"], ["iPad", "iPad"], ["Android", "Android"], ["Windows", "Windows"], ["Mac OS", "Mac"], ["CrOS", "Chromebook"], ["Linux", "Linux"]];

function labelOf(agent) {
  const named = (list) => (list.find(([sign]) => new RegExp(sign).test(agent)) || [])[1];
  const [browser, system] = [named(BROWSERS), named(SYSTEMS)];
  return browser && system ? say("label", { browser, system }) : say("this_device");
}

async function ways(method, body) {
  const answer = await fetch("/v1/ways", {
    method,
    headers: { "content-type": "application/json" },
    body: body && JSON.stringify({ channel: CHANNEL, ...body }),
  });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

// The platform hears of an address before this device counts as told; an older address of it goes.
async function save(subscription) {
  const address = JSON.stringify(subscription);
  const way = await ways("PUT", { address, label: labelOf(navigator.userAgent) });
  const old = remembered(OWNER) === me ? remembered(ADDRESS) : "";
  remember(me, address, way.number);
  if (old && old !== address) await ways("DELETE", { address: old }).catch(() => undefined);
}

// Whoever took this device off their list, here or elsewhere, did not mean it to come back by itself. One that
// the browser replaced has another number, if the worker told the platform already.
async function wasRemoved(found) {
  const replaced = found && JSON.stringify(found) !== remembered(ADDRESS);
  const number = replaced ? 0 : Number(remembered(NUMBER));
  const kept = number ? await ways("GET").catch(() => null) : null;
  return kept !== null && !kept.ways.some((way) => way.channel === CHANNEL && way.number === number);
}

async function subscribe() {
  const found = await registration.pushManager.getSubscription();
  if (found && isOurs(found)) return found;
  if (found) await found.unsubscribe();
  return registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: keyBytes() });
}

// What this device can not do, in one word; empty if it can.
function obstacle() {
  if (!window.isSecureContext) return "insecure";
  const able = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
  if (!able) return navigator.standalone === false ? "home_screen" : "unsupported";
  return "";
}

function show(state) {
  strip.hidden = !["stopped", "removed"].includes(state) || card !== null;
  if (!card) return;
  for (const one of card.querySelectorAll("[data-push]")) one.hidden = one.dataset.push !== state;
  const [on, off, install] = ["push-turn-on", "push-turn-off", "push-install"].map((id) => document.getElementById(id));
  on.hidden = !["off", "stopped", "removed", "failed"].includes(state);
  off.hidden = !["on", "unsure", "removed"].includes(state);
  install.hidden = !installing;
  on.disabled = off.disabled = false;
  document.getElementById("push-buttons").hidden = on.hidden && off.hidden && install.hidden;
  card.dataset.state = state;
}

// On every page: is what was turned on still so, and does the platform still know?
async function look() {
  const found = await registration.pushManager.getSubscription();
  const owner = remembered(OWNER);
  if (owner && owner !== me) {
    if (found) await found.unsubscribe();
    remember();
  }
  if (owner !== me) return Notification.permission === "denied" ? "blocked" : "off";
  if (Notification.permission !== "granted") return "stopped";
  if (await wasRemoved(found)) return "removed";
  let subscription = null;
  try {
    subscription = await subscribe();
  } catch {
    return "stopped";
  }
  return save(subscription).then(() => "on", () => "unsure");
}

async function turnOn(event) {
  event.target.disabled = true;
  const allowed = await Notification.requestPermission();
  if (allowed !== "granted") return show(allowed === "denied" ? "blocked" : "off");
  return show(await subscribe().then(save).then(() => "on", () => "failed"));
}

async function unsubscribe() {
  const found = registration && (await registration.pushManager.getSubscription());
  if (found) await found.unsubscribe();
  remember();
}

async function forget() {
  const address = remembered(ADDRESS);
  if (address) await ways("DELETE", { address }).catch(() => undefined);
  await unsubscribe();
}

async function turnOff(event) {
  event.target.disabled = true;
  await forget().catch(() => undefined);
  show("off");
}

// Whoever signs out here no longer wants the numbers on this device's locked screen; and who takes this device
// off the list wants them neither.
async function leave(event) {
  const form = event.target;
  const signsOut = form.matches("form[action='/sign-out']");
  const removes = form.matches("form[action='/settings/ways/remove']")
    && form.elements.channel.value === CHANNEL && form.elements.number.value === remembered(NUMBER);
  if (!(signsOut || removes) || remembered(OWNER) !== me) return;
  event.preventDefault();
  const left = (signsOut ? forget() : unsubscribe()).catch(() => undefined);
  await Promise.race([left, new Promise((done) => setTimeout(done, LEAVE_MS))]);
  form.submit();
}

async function install() {
  const offer = installing;
  installing = null;
  document.getElementById("push-install").hidden = true;
  if (offer) await offer.prompt();
}

function offerInstall() {
  if (!card) return;
  window.addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    installing = event;
    if (card.dataset.state) show(card.dataset.state);
  });
  document.getElementById("push-turn-on").addEventListener("click", turnOn);
  document.getElementById("push-turn-off").addEventListener("click", turnOff);
  document.getElementById("push-install").addEventListener("click", install);
}

export async function startPush() {
  const able = window.isSecureContext && "serviceWorker" in navigator;
  if (able) registration = await navigator.serviceWorker.register("/service-worker.js").catch(() => null);
  if (!me || !key) return;
  offerInstall();
  document.addEventListener("submit", leave);
  const why = obstacle() || (registration ? "" : "failed");
  show(why || (await look().catch(() => "unsure")));
}
