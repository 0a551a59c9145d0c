// Tones made here, so that nothing has to be fetched when it matters. A browser lets a page ring only after
// somebody has pressed a button on it; until then the page says that its sound is off.

import { say } from "./words.js";

const RING = [[660, 0], [880, 0.22], [660, 0.44], [990, 0.66], [660, 1.3], [880, 1.52], [660, 1.74], [990, 1.96]];
const URGENT = [[784, 0], [1047, 0.16], [1319, 0.32], [784, 0.48], [1047, 0.64], [784, 1.1], [1047, 1.26], [1319, 1.42]];
const LOST = [[330, 0], [247, 0.5], [330, 1.0], [247, 1.5]];
const ROUND_MS = 3200;
const ROUNDS_MAX = 56;

const strip = document.getElementById("sound");
const text = document.getElementById("sound-said");
const button = document.getElementById("sound-button");
const Sound = window.AudioContext || window.webkitAudioContext;

let context = null;
let timer = 0;

export function soundIsOn() {
  return context !== null && context.state === "running";
}

function showSound() {
  if (!strip) return;
  strip.hidden = false;
  strip.dataset.on = soundIsOn() ? "yes" : "no";
  text.textContent = say(!Sound ? "sound_none" : soundIsOn() ? "sound_on" : "sound_off");
  button.hidden = !Sound;
  button.textContent = say(soundIsOn() ? "sound_test" : "sound_button");
}

function playOnce(tones, volume) {
  const start = context.currentTime + 0.03;
  for (const [pitch, after] of tones) {
    const voice = context.createOscillator();
    const loud = context.createGain();
    voice.type = "triangle";
    voice.frequency.value = pitch;
    loud.gain.setValueAtTime(0.0001, start + after);
    loud.gain.exponentialRampToValueAtTime(volume, start + after + 0.03);
    loud.gain.exponentialRampToValueAtTime(0.0001, start + after + 0.42);
    voice.connect(loud).connect(context.destination);
    voice.start(start + after);
    voice.stop(start + after + 0.45);
  }
}

// Rounds grow louder, for about three minutes; the platform rings again by itself while nobody has it.
function playRounds(tones) {
  stopSound();
  showSound();
  if (!soundIsOn()) return;
  let round = 0;
  const next = () => {
    playOnce(tones, Math.min(1, 0.25 + 0.15 * round));
    round += 1;
    if (round >= ROUNDS_MAX) stopSound();
  };
  next();
  timer = setInterval(next, ROUND_MS);
}

export function soundRing(urgent) {
  playRounds(urgent ? URGENT : RING);
}

export function soundLost() {
  playRounds(LOST);
}

export function stopSound() {
  clearInterval(timer);
  timer = 0;
}

export function startSound() {
  showSound();
  if (!strip || !Sound) return;
  context = new Sound();
  context.addEventListener("statechange", showSound);
  showSound();
  button.addEventListener("click", async () => {
    const was = soundIsOn();
    await context.resume();
    showSound();
    if (was || soundIsOn()) playOnce(RING.slice(0, 4), 0.4);
  });
}
