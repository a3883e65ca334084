// The live page: listens to the server's events and draws what they say. Texts go in as texts, never as HTML.
"use strict";

const MINUTE = 60;
const TILES = [
  ["snr_db", "SNR", (v) => [v.toFixed(1), "dB"]],
  ["accuracy", "Accuracy", (v) => [(100 * v).toFixed(1), "%"]],
  ["frequency", "CFO, of rate", (v) => [(1e3 * v).toFixed(2), "‰"]],
  ["clock_ppm", "Clock", (v) => [v.toFixed(1), "ppm"]],
  ["messages", "Messages", (v) => [v.toLocaleString("en"), ""]],
  ["lost_symbols", "Symbols lost", (v) => [v.toLocaleString("en"), ""]],
  ["queue_age", "Queue", (v) => [(1e3 * v).toFixed(0), "ms"]],
  ["epoch_age", "Report's age", (v) => [v.toFixed(1), "s"]],
];
const FRAMES = ["ok", "bad_header", "foreign", "stale", "replayed", "malformed"];
const history = { snr_db: [], accuracy: [] };
let last = null;

const at = (id) => document.getElementById(id);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

function element(tag, text, ...children) {
  const made = document.createElement(tag);
  made.textContent = text;
  made.append(...children);
  return made;
}

function canvas(id) {
  const own = at(id), ratio = window.devicePixelRatio || 1;
  const width = own.clientWidth, height = own.clientHeight;
  if (own.width !== Math.round(width * ratio) || own.height !== Math.round(height * ratio)) {
    own.width = Math.round(width * ratio);
    own.height = Math.round(height * ratio);
  }
  const pen = own.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  return [pen, width, height];
}

function drawPoints(points) {
  const [pen, width, height] = canvas("points");
  const largest = points.reduce((most, [re, im]) => Math.max(most, Math.abs(re), Math.abs(im)), 0.01);
  const step = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100].find((size) => largest / size <= 4) || largest;
  const reach = 1.05 * Math.max(largest, step), scale = Math.min(width, height) / 2 / reach;
  const x = (re) => width / 2 + re * scale, y = (im) => height / 2 - im * scale;
  pen.strokeStyle = colour("--line");
  for (let line = -Math.floor(reach / step); line <= reach / step; line += 1) {
    pen.lineWidth = line === 0 ? 2 : 1;
    pen.beginPath();
    pen.moveTo(x(line * step), 0); pen.lineTo(x(line * step), height);
    pen.moveTo(0, y(line * step)); pen.lineTo(width, y(line * step));
    pen.stroke();
  }
  pen.fillStyle = colour("--faint");
  pen.textAlign = "left"; pen.textBaseline = "top";
  pen.fillText(String(step), x(step) + 4, y(0) + 4);
  pen.fillStyle = colour("--mark");
  pen.globalAlpha = 0.55;
  for (const [re, im] of points) {
    pen.beginPath();
    pen.arc(x(re), y(im), 2.2, 0, 7);
    pen.fill();
  }
  pen.globalAlpha = 1;
  at("count").textContent = `${points.length} symbols`;
}

function range(values, least, bounds) {
  let low = Math.min(...values), high = Math.max(...values);
  const missing = Math.max(least - (high - low), 0) / 2;
  low -= missing; high += missing;
  if (bounds) {
    if (high > bounds[1]) { low -= high - bounds[1]; high = bounds[1]; }
    low = Math.max(low, bounds[0]);
  }
  return [low, high];
}

function drawLine(id, series, least, bounds, text) {
  const [pen, width, height] = canvas(id);
  pen.fillStyle = colour("--faint");
  pen.textBaseline = "middle";
  if (!series.length) {
    pen.textAlign = "center";
    pen.fillText("no data", width / 2, height / 2);
    return;
  }
  const [low, high] = range(series.map(([, value]) => value), least, bounds);
  const now = series[series.length - 1][0], left = 44, top = 8, bottom = height - 8;
  const span = Math.max(now - series[0][0], 5);
  const x = (t) => left + (width - left - 6) * (1 - (now - t) / span);
  const y = (value) => bottom - (bottom - top) * (value - low) / (high - low);
  pen.strokeStyle = colour("--line");
  pen.lineWidth = 1;
  pen.textAlign = "right";
  for (const value of [low, (low + high) / 2, high]) {
    pen.beginPath();
    pen.moveTo(left, y(value)); pen.lineTo(width, y(value));
    pen.stroke();
    pen.fillText(text(value), left - 6, y(value));
  }
  pen.strokeStyle = pen.fillStyle = colour("--mark");
  pen.lineWidth = 2;
  pen.beginPath();
  series.forEach(([t, value], i) => (i ? pen.lineTo(x(t), y(value)) : pen.moveTo(x(t), y(value))));
  pen.stroke();
  pen.beginPath();
  pen.arc(x(now), y(series[series.length - 1][1]), 3, 0, 7);
  pen.fill();
}

function drawTiles(values) {
  at("tiles").replaceChildren(...TILES.map(([name, title, text]) => {
    const [number, unit] = isNumber(values[name]) ? text(values[name]) : ["–", name === "accuracy" ? "no labels" : ""];
    return element("div", "", element("span", title), element("b", number), element("small", ` ${unit}`));
  }));
}

function drawFrames(values) {
  const rows = FRAMES.filter((name) => isNumber(values[name])).map((name) => {
    const head = element("th", name.replaceAll("_", " "));
    head.scope = "row";
    return element("tr", "", head, element("td", values[name].toLocaleString("en")));
  });
  at("frames").replaceChildren(...(rows.length ? rows : [element("tr", "", element("th", "none yet"))]));
}

function drawEvents(events) {
  at("events").replaceChildren(...[...events].reverse().map(({ t, text }) => {
    const when = new Date(1000 * t);
    const time = element("time", when.toLocaleTimeString("en-GB"));
    time.dateTime = when.toISOString();
    return element("li", "", time, element("span", text));
  }));
}

function lasted(series) {
  return series.length ? `last ${Math.max(series[series.length - 1][0] - series[0][0], 5).toFixed(0)} s` : "";
}

function draw() {
  if (!last) return;
  drawPoints(last.points);
  drawLine("snr", history.snr_db, 4, null, (value) => value.toFixed(1));
  drawLine("accuracy", history.accuracy, 0.1, [0, 1], (value) => `${(100 * value).toFixed(0)} %`);
  at("span").textContent = lasted(history.snr_db);
  at("labels").textContent = history.accuracy.length ? lasted(history.accuracy) : "labels are not known";
}

function show(state) {
  const isNew = !last || last.number !== state.number || last.t !== state.t;
  const old = state.age_s > 2;
  at("state").textContent = old ? `nothing new for ${state.age_s.toFixed(0)} s` : "live";
  at("state").className = old ? "old" : "live";
  at("title").textContent = state.title;
  document.title = `latentlink ${state.title}`;
  if (!isNew) return;
  last = state;
  const now = state.t;
  for (const [name, series] of Object.entries(history)) {
    if (series.length && now < series[series.length - 1][0]) series.length = 0; // the process was restarted
    if (isNumber(state.values[name])) series.push([now, state.values[name]]);
    while (series.length && now - series[0][0] > MINUTE) series.shift();
  }
  drawTiles(state.values);
  drawFrames(state.values);
  drawEvents(state.events);
  draw();
}

const few = new URLSearchParams(location.search).get("most");
const source = new EventSource(few ? `events?most=${encodeURIComponent(few)}` : "events");
source.onmessage = (event) => show(JSON.parse(event.data));
source.onerror = () => {
  if (few) { source.close(); return; }
  at("state").textContent = "the process does not answer";
  at("state").className = "old";
};
window.addEventListener("resize", draw);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
