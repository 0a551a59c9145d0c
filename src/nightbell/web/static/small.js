// Small conveniences on forms. Each page works without them.

import { say } from "./words.js";

function keepFragment() {
  if (location.hash.length < 2) return;
  for (const form of document.querySelectorAll("form[data-keep-fragment]")) form.action += location.hash;
}

// The secret of an invitation stands behind the # and so is never sent in an address; here it is put into the
// form, and looked at. Looking changes nothing.
function openInvitation() {
  const form = document.querySelector("form[data-secret-from-fragment]");
  if (!form || location.hash.length < 2) return;
  form.elements.secret.value = decodeURIComponent(location.hash.slice(1));
  form.action += location.hash;
  form.requestSubmit();
}

function keepInvitation() {
  for (const link of document.querySelectorAll("a[data-keep-fragment]")) link.hash = location.hash;
}

function offerCopy() {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
      document.getElementById("copied").textContent = say("link_copied");
    });
  }
}

function offerZone() {
  const offer = document.getElementById("zone-here");
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const field = document.querySelector("[data-zone]");
  if (!offer || !here || field.value === here) return;
  offer.hidden = false;
  offer.addEventListener("click", () => {
    field.value = here;
    offer.hidden = true;
    field.focus();
  });
}

export function startSmall() {
  keepFragment();
  openInvitation();
  keepInvitation();
  offerCopy();
  offerZone();
}
