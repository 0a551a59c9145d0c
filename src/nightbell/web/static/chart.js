// The graph of one person. Gaps stay gaps: readings more than 15 min apart are never joined.

import { say, zoned } from "./words.js";

const GAP_S = 15 * 60;

const place = document.getElementById("chart");
const summary = document.getElementById("chart-summary");
const table = document.getElementById("chart-table");

let hours = 3;
let plot = null;
let shown = null;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Between two readings far apart stands a point without a value, at which the line breaks.
function columns(points) {
  const times = [];
  const values = [];
  points.forEach((point, at) => {
    const seconds = point.measured_ms / 1000;
    if (at > 0 && seconds - times[times.length - 1] > GAP_S) {
      times.push(times[times.length - 1] + 1);
      values.push(null);
    }
    times.push(seconds);
    values.push(point.plot);
  });
  return [times, values];
}

function drawLines(self, lines) {
  const { ctx, bbox } = self;
  ctx.save();
  ctx.lineWidth = devicePixelRatio * 1.25;
  ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.setLineDash([6 * devicePixelRatio, 5 * devicePixelRatio]);
  for (const line of lines) {
    const y = self.valToPos(line.plot, "y", true);
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.strokeStyle = ctx.fillStyle = colour(line.side === "low" ? "--low" : "--high");
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

function options(answer) {
  const mmol = answer.unit !== "mg/dL";
  const [least, most] = mmol ? [2, 14] : [40, 260];
  const grid = { stroke: colour("--line"), width: 1 };
  const axis = { stroke: colour("--soft"), grid, ticks: { show: false }, font: "13px system-ui, sans-serif" };
  return {
    width: place.clientWidth,
    height: place.clientHeight,
    cursor: { show: true, drag: { x: false, y: false }, points: { size: 9 } },
    legend: { show: false },
    tzDate: (seconds) => zoned(seconds * 1000),
    scales: {
      x: { time: true, range: () => [answer.from_ms / 1000, answer.to_ms / 1000] },
      y: { range: (self, low, high) => [Math.min(least, low ?? least), Math.max(most, (high ?? most) * 1.04)] },
    },
    axes: [
      { ...axis, space: 64, size: 34, values: "{HH}:{mm}" },
      { ...axis, size: 46, splits: mmol ? () => [4, 6, 8, 10, 12, 14, 16, 18, 20, 22] : () => [50, 100, 150, 200, 250, 300, 350, 400] },
    ],
    series: [
      {},
      { stroke: colour("--ink"), width: 2.5, spanGaps: false, points: { show: true, size: hours <= 6 ? 6 : 3, fill: colour("--ink"), stroke: colour("--ink") } },
    ],
    hooks: { drawAxes: [(self) => drawLines(self, answer.lines)] },
  };
}

function fillTable(points) {
  table.replaceChildren(
    ...points.toReversed().map((point) => {
      const row = document.createElement("tr");
      const time = document.createElement("td");
      const value = document.createElement("td");
      time.textContent = point.time;
      value.textContent = point.shown;
      value.className = "figures";
      row.append(time, value);
      return row;
    }),
  );
}

function draw() {
  if (!shown || !window.uPlot) return;
  if (plot) plot.destroy();
  const drawn = columns(shown.points);
  place.dataset.gaps = String(drawn[1].filter((value) => value === null).length);
  plot = new window.uPlot(options(shown), drawn, place);
}

export async function loadChart() {
  if (!place) return;
  try {
    const answer = await fetch(`/v1/people/${place.dataset.person}/readings?hours=${hours}`);
    if (!answer.ok) throw new Error(String(answer.status));
    shown = await answer.json();
  } catch {
    summary.textContent = say("chart_failed");
    return;
  }
  draw();
  if (summary.textContent !== shown.summary) summary.textContent = shown.summary;
  fillTable(shown.points);
}

export function startChart() {
  if (!place) return;
  for (const button of document.querySelectorAll(".hours button")) {
    button.addEventListener("click", () => {
      hours = Number(button.dataset.hours);
      for (const other of document.querySelectorAll(".hours button")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      loadChart();
    });
  }
  new ResizeObserver(() => plot && plot.setSize({ width: place.clientWidth, height: place.clientHeight })).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  loadChart();
}
