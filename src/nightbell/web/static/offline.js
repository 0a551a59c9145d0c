// The page without a connection: it opens what was asked for as soon as it can be reached again.

const AGAIN_MS = 10000;
const WAIT_MS = 8000;

async function look() {
  try {
    const answer = await fetch("/manifest.webmanifest", { cache: "no-store", signal: AbortSignal.timeout(WAIT_MS) });
    if (answer.ok) location.reload();
  } catch {
    // Still no connection: the page says so already.
  }
}

const button = document.getElementById("offline-again");
button.hidden = false;
button.addEventListener("click", () => location.reload());
window.addEventListener("online", look);
document.addEventListener("visibilitychange", look);
setInterval(look, AGAIN_MS);
