// The service worker: shows what is pushed, opens the page it is about, and says plainly when there is no
// connection. What it knows of its build stands above, put there by the server (pages/shell.py).
//
// It shows every push, whatever page is open: browsers end the push of a site that shows nothing. It keeps the
// page without a connection and what that is made of, and never a reading. Nothing it does is an answer.

const { build, kept, icon, badge, words } = self.nightbell;
const OFFLINE = "/offline";
const SHELVES = "nightbell-shell-";
const SHELF = SHELVES + build;
const LATE_MS = 120000;
const LATE_MS_MAX = 4000000; // no push service keeps a push so long for us: then this device's clock is wrong
const URGENT_MS = [400, 120, 400, 120, 400, 120, 900];
const PLAIN_MS = [250, 120, 250];

// ---- the page without a connection ------------------------------------------------------------------------

async function keep() {
  const shelf = await caches.open(SHELF);
  await shelf.addAll([OFFLINE, ...kept].map((path) => new Request(path, { cache: "reload" })));
}

async function clear() {
  const old = (await caches.keys()).filter((name) => name.startsWith(SHELVES) && name !== SHELF);
  await Promise.all(old.map((name) => caches.delete(name)));
}

async function visit(request) {
  try {
    return await fetch(request);
  } catch {
    const page = await caches.match(OFFLINE);
    return page || new Response(words.offline_heading, { status: 503, headers: { "content-type": "text/plain; charset=utf-8" } });
  }
}

// A full store must not keep a device from being told: without its shelf the worker still shows pushes.
self.addEventListener("install", (event) => event.waitUntil(keep().catch(() => undefined).then(() => self.skipWaiting())));
self.addEventListener("activate", (event) => event.waitUntil(clear().catch(() => undefined).then(() => self.clients.claim())));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  if (request.mode === "navigate") event.respondWith(visit(request));
  else if (kept.includes(new URL(request.url).pathname)) {
    event.respondWith(fetch(request).catch(async () => (await caches.match(request)) || Response.error()));
  }
});

// ---- pushes -----------------------------------------------------------------------------------------------

// Only the path is taken: the page opens where this device is signed in.
function pathOf(address) {
  try {
    return new URL(address, self.location.origin).pathname;
  } catch {
    return "/";
  }
}

function read(event) {
  try {
    const told = event.data.json().notification;
    if (told.title) return { ...told, data: told.data || {} };
  } catch {
    // Said below: a push that can not be read is still shown.
  }
  return { title: words.push_unreadable, body: words.push_unreadable_text, navigate: "/", tag: "nightbell", data: {} };
}

// A phone that was out of reach gets a push late. Then its first word is how old it is.
function titleOf(told) {
  const lateMs = told.data.sent_ms ? Date.now() - told.data.sent_ms : 0;
  if (lateMs < LATE_MS || lateMs > LATE_MS_MAX) return told.title;
  return `(${words.push_late.replace("{n}", Math.floor(lateMs / 60000))}) ${told.title}`;
}

async function show(told) {
  const { id, key, alarm, urgent } = told.data;
  const options = {
    body: told.body || "",
    lang: told.lang || "",
    tag: told.tag || id || "nightbell",
    renotify: true,
    requireInteraction: Boolean(urgent),
    timestamp: told.timestamp || Date.now(),
    vibrate: urgent ? URGENT_MS : PLAIN_MS,
    icon,
    badge,
    data: { id, key, alarm, path: pathOf(told.navigate) },
  };
  try {
    await self.registration.showNotification(titleOf(told), options);
  } catch {
    // A browser that does not like one of the extras shows the words all the same.
    await self.registration.showNotification(titleOf(told), { body: options.body, data: options.data });
  }
}

// A receipt that is lost is not sent again: the platform then knows less, which is true. Behind a dash stands
// which of a person's devices it is.
async function sendReceipt(id, state) {
  if (!/^[0-9a-f]{1,48}(-\d{1,9})?$/.test(id || "")) return;
  await fetch(`/v1/notifications/${id}/receipt`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ state, channel: "web_push" }),
  }).catch(() => undefined);
}

self.addEventListener("push", (event) => {
  const told = read(event);
  event.waitUntil(show(told).then(() => sendReceipt(told.data.id, "delivered")));
});

// ---- a tap ------------------------------------------------------------------------------------------------

async function open(path) {
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = windows.find((one) => new URL(one.url).pathname === path);
  const page = there || windows[0];
  if (!page) return self.clients.openWindow(path);
  await page.focus().catch(() => undefined);
  if (there) return there;
  return page.navigate(path).catch(() => self.clients.openWindow(path));
}

self.addEventListener("notificationclick", (event) => {
  const { id, path } = event.notification.data || {};
  event.notification.close();
  event.waitUntil(Promise.all([open(path || "/"), sendReceipt(id, "seen")]));
});

// ---- a subscription that the browser replaced -------------------------------------------------------------

async function ways(method, body) {
  const headers = { "content-type": "application/json" };
  const answer = await fetch("/v1/ways", { method, headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(String(answer.status));
}

async function replaced(event) {
  const old = event.oldSubscription;
  const fresh = event.newSubscription || (old && (await self.registration.pushManager.subscribe(old.options)));
  if (!fresh) return;
  await ways("PUT", { channel: "web_push", address: JSON.stringify(fresh), label: words.this_device });
  if (old) await ways("DELETE", { channel: "web_push", address: JSON.stringify(old) });
}

// Where this fails, the next page that is opened finds out and says so (push.js).
self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(replaced(event).catch(() => undefined)));
