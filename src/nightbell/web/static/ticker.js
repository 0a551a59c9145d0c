// A worker that ticks once a second. A page in the background has its own timers slowed to one a minute; a
// worker's are not, so the page learns in time that nobody watches.

setInterval(() => postMessage(0), 1000);
