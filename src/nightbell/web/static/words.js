// The sentences this page must be able to say when the server is gone. They come with the page.

const words = JSON.parse(document.body.dataset.words);

export function say(name, slots = {}) {
  return words[name].replace(/\{(\w+)\}/g, (whole, slot) => (slot in slots ? slots[slot] : whole));
}

export function spanText(ms) {
  const minutes = Math.floor(ms / 60000);
  if (minutes < 1) return say("span_seconds", { n: Math.max(0, Math.floor(ms / 1000)) });
  if (minutes < 60) return say("span_minutes", { n: minutes });
  return say("span_hours", { h: Math.floor(minutes / 60), n: minutes % 60 });
}

export function ageText(ms) {
  const minutes = Math.floor(ms / 60000);
  if (minutes < 1) return say("age_now");
  if (minutes === 1) return say("age_minute");
  if (minutes < 60) return say("age_minutes", { n: minutes });
  return say("age_hours", { h: Math.floor(minutes / 60), n: minutes % 60 });
}

// The person's own zone, which need not be that of this device.
const zone = document.body.dataset.zone || "UTC";
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone });

export function clockText(ms) {
  return clock.format(new Date(ms));
}

export function zoned(ms) {
  return window.uPlot.tzDate(new Date(ms), zone);
}
