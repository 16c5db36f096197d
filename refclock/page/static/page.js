"use strict";
const $ = (id) => document.getElementById(id);
const ICON = { TRACK: "✓", HOLDOVER: "◷", ACQUIRE: "…", COLD: "✕" };
let gist = "";

function seconds(s) {
  if (s === null || s === undefined) return "unknown";
  const a = Math.abs(s);
  if (a >= 172800) return `${Math.floor(s / 86400)}\u202fdays`;
  if (a >= 3600) return `${(s / 3600).toFixed(1)}\u202fh`;
  if (a >= 120) return `${Math.round(s / 60)}\u202fmin`;
  for (const [unit, scale] of [["s", 1], ["ms", 1e-3], ["µs", 1e-6]])
    if (a >= 0.9995 * scale) return `${Number((s / scale).toPrecision(2))}\u202f${unit}`;
  return `${Math.round(s * 1e9)}\u202fns`;
}
const number = (v, unit, digits) =>
  v === null || v === undefined ? "unknown" : `${v.toFixed(digits)}\u202f${unit}`;

function list(id, rows) {
  const made = [];
  for (const [name, value] of rows) {
    const row = id === "facts" ? document.createElement("div") : null;
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = name;
    dd.textContent = value;
    if (row) { row.append(dt, dd); made.push(row); } else made.push(dt, dd);
  }
  if (!made.length) {
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = "none yet";
    made.push(dt, dd);
  }
  $(id).replaceChildren(...made);
}

function bar(parts) {
  const total = parts.reduce((sum, [, s]) => sum + s, 0) || 1;
  let x = 0;
  $("bar").replaceChildren(...parts.map(([, s], n) => {
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const width = (100 * s) / total;
    for (const [key, v] of [["x", x], ["y", 0], ["width", width], ["height", 6], ["class", `c${n % 5}`]])
      rect.setAttribute(key, v);
    x += width;
    return rect;
  }));
}

function show(s) {
  const n = s.alarms.length, serving = s.stratum < 16;
  const grave = s.alarms.some((each) => each.severity === "critical");
  const tone = !serving || grave ? "bad" : n || s.mode !== "TRACK" ? "warn" : "ok";
  const mode = `${ICON[s.mode] || "?"} ${s.mode}${n ? `, ${n} alarm${n > 1 ? "s" : ""}` : ""}`;
  $("pill").textContent = mode;
  $("pill").className = `pill ${tone}`;
  const right = serving ? `Right to ±${seconds(s.bound_s)}` : "No time is served";
  $("right").textContent = right;
  $("reason").textContent = s.reason;
  document.title = `${mode} · ${serving ? "±" + seconds(s.bound_s) : "not serving"}`;
  const colour = { ok: "%2308694c", warn: "%23b26a00", bad: "%23b3261e" }[tone];
  $("icon").href = `data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="4" fill="${colour}"/></svg>`;
  const said = `${mode} ${s.reason_codes.join()}`;
  if (said !== gist) { gist = said; $("live").textContent = `${mode}. ${s.reason}`; }
  $("utc").textContent = s.utc ? `${s.utc.slice(11, 19)} UTC` : "time unknown";
  list("facts", [
    ["stratum", serving ? s.stratum : "none"], ["leap second", s.next_leap || "none announced"],
    ["without pulses", s.good_for_s ? `good for ${seconds(s.good_for_s)}` : "not good"],
    ["last pulse", s.last_pulse_age_s === null ? "none yet" : `${seconds(s.last_pulse_age_s)} ago`],
  ]);
  $("alarmcard").hidden = !n;
  $("alarms").replaceChildren(...s.alarms.map((each) => {
    const li = document.createElement("li");
    li.textContent = `${each.text} (${each.severity}, for ${seconds(each.age_s)})`;
    return li;
  }));
  const parts = Object.entries(s.bound_parts).filter(([, v]) => v > 0);
  bar(parts);
  list("parts", parts.map(([name, v]) => [name, seconds(v)]));
  list("source", [
    ["receiver", s.receiver || "unknown"], ["fix", s.fix || "none"],
    ["satellites used / seen", `${s.satellites_used ?? "-"} / ${s.satellites_seen ?? "-"}`],
    ["pulses used", s.pulses], ["offset of the local clock", seconds(s.offset_s)],
    ["oscillator", number(s.frequency_ppm, "ppm", 4)],
    ["board", number(s.temperature_c, "°C", 1)],
    ...Object.entries(s.lag).map(([kind, lag]) => [`${kind} comes after`, seconds(lag.mean_s)]),
  ]);
  list("served", Object.entries(s.server).filter(([, v]) => v));
  list("devices", Object.entries(s.devices));
}

function link(text, off) {
  $("link").textContent = text;
  $("link").className = off ? "off" : "";
}

function gone(why) {
  link("no answer", true);
  $("pill").textContent = "? unknown";
  $("pill").className = "pill bad";
  $("right").textContent = "No answer";
  $("reason").textContent = why;
  document.title = "? no answer";
}

const events = new EventSource("events");
events.onmessage = (event) => {
  const message = JSON.parse(event.data);
  if (message.status) { link("live"); show(message.status); } else gone(message.error);
};
events.onerror = () => gone("The page's server is not reached; trying again.");
