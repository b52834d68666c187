--- A map of points as one HTML file that needs no network: drag, wheel, search, names on hover.
-- @module marea.plot.html
local json = require "marea.json"
local native = require "marea.native"

local html = {}

-- The page; @NAME@ is replaced. Texts are shown with fillText and textContent, never as HTML.
local page = [==[
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>@TITLE@</title>
<style>
html, body { margin: 0; height: 100%; font: 14px sans-serif; overflow: hidden; }
canvas { display: block; cursor: grab; }
#bar { position: fixed; left: 8px; top: 8px; padding: 6px 8px; border-radius: 4px;
  background: rgba(255, 255, 255, 0.9); box-shadow: 0 1px 4px rgba(0, 0, 0, 0.3); }
#bar input { width: 14em; }
#name { position: fixed; pointer-events: none; padding: 2px 6px; border-radius: 3px;
  background: #222; color: #fff; display: none; white-space: pre; }
</style></head><body>
<canvas id="map"></canvas>
<div id="bar"><b>@TITLE@</b><br><input id="search" type="search" placeholder="search">
<span id="found"></span></div><div id="name"></div>
<script>
"use strict";
const data = @DATA@;
const canvas = document.getElementById("map"), pen = canvas.getContext("2d");
const search = document.getElementById("search"), found = document.getElementById("found");
const tip = document.getElementById("name");
const n = data.x.length, colours = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee",
  "#aa3377", "#bb5500", "#555555", "#009988", "#bbbbbb"];
let scale = 1, left = 0, top_ = 0, matches = new Set(), hovered = -1, drag = null;

function fit() {
  let a = Infinity, b = -Infinity, c = Infinity, d = -Infinity;
  for (let i = 0; i < n; i++) {
    a = Math.min(a, data.x[i]); b = Math.max(b, data.x[i]);
    c = Math.min(c, data.y[i]); d = Math.max(d, data.y[i]);
  }
  scale = 0.9 * Math.min(innerWidth / (b - a || 1), innerHeight / (d - c || 1));
  left = innerWidth / 2 - scale * (a + b) / 2;
  top_ = innerHeight / 2 + scale * (c + d) / 2;
}
const sx = i => left + scale * data.x[i], sy = i => top_ - scale * data.y[i];
const colour = i => data.group ? colours[data.group[i] % colours.length] : colours[0];

function draw() {
  const ratio = devicePixelRatio || 1, taken = new Map();
  canvas.width = innerWidth * ratio; canvas.height = innerHeight * ratio;
  canvas.style.width = innerWidth + "px"; canvas.style.height = innerHeight + "px";
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.font = "12px sans-serif";
  for (let i = 0; i < n; i++) {
    const x = sx(i), y = sy(i);
    if (x < 0 || y < 0 || x > innerWidth || y > innerHeight) continue;
    pen.globalAlpha = matches.size && !matches.has(i) ? 0.15 : 1;
    pen.fillStyle = matches.has(i) ? "#d00" : colour(i);
    pen.beginPath(); pen.arc(x, y, matches.has(i) ? 5 : 2.5, 0, 7); pen.fill();
  }
  const order = [...matches];
  for (let i = 0; i < n; i++) if (!matches.has(i)) order.push(i);
  pen.fillStyle = "#222";
  let written = 0;
  for (const i of order) {                       // a label only where no other one is
    const x = sx(i), y = sy(i);
    if (x < 0 || y < 0 || x > innerWidth || y > innerHeight || written > 1500) continue;
    const width = pen.measureText(data.label[i]).width + 10, cells = [];
    for (let c = Math.floor(x / 20); c <= Math.floor((x + width) / 20); c++)
      for (let r = Math.floor((y - 8) / 8); r <= Math.floor((y + 6) / 8); r++)
        cells.push(c + "," + r);
    if (cells.some(cell => taken.has(cell))) continue;
    cells.forEach(cell => taken.set(cell, true));
    pen.globalAlpha = matches.size && !matches.has(i) ? 0.25 : 1;
    pen.fillText(data.label[i], x + 6, y + 4);
    written++;
  }
  pen.globalAlpha = 1;
}
function nearest(x, y) {
  let best = -1, least = 100;
  for (let i = 0; i < n; i++) {
    const d = (sx(i) - x) ** 2 + (sy(i) - y) ** 2;
    if (d < least) { least = d; best = i; }
  }
  return best;
}
canvas.addEventListener("wheel", e => {
  e.preventDefault();
  const by = Math.exp(-e.deltaY / 500);
  left = e.clientX - by * (e.clientX - left); top_ = e.clientY - by * (e.clientY - top_);
  scale *= by; draw();
}, { passive: false });
canvas.addEventListener("pointerdown", e => { drag = [e.clientX - left, e.clientY - top_]; });
addEventListener("pointerup", () => { drag = null; });
canvas.addEventListener("pointermove", e => {
  if (drag) { left = e.clientX - drag[0]; top_ = e.clientY - drag[1]; draw(); return; }
  hovered = nearest(e.clientX, e.clientY);
  tip.style.display = hovered < 0 ? "none" : "block";
  if (hovered < 0) return;
  tip.textContent = data.label[hovered] + (data.note ? "\n" + data.note[hovered] : "");
  tip.style.left = e.clientX + 12 + "px"; tip.style.top = e.clientY + 12 + "px";
});
search.addEventListener("input", () => {
  const wanted = search.value.toLocaleLowerCase();
  matches = new Set();
  if (wanted) for (let i = 0; i < n; i++)
    if (data.label[i].toLocaleLowerCase().includes(wanted)) matches.add(i);
  found.textContent = wanted ? matches.size + " found" : "";
  draw();
});
addEventListener("resize", draw);
fit(); draw();
</script></body></html>
]==]

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function escape(text)
  return (text:gsub('[&<>"]', entities))
end

--- Writes the page. `data` holds lists x, y, label and, where wanted, note and group (from 0).
-- @treturn true, or nil and a message
function html.write(path, title, data)
  -- Within a script element "</" could end it; JSON may write it as "<\/".
  local encoded = json.encode(data):gsub("<", "\\u003c")
  local values = { TITLE = escape(title), DATA = encoded }
  return native.write_file(path, (page:gsub("@(%u+)@", values)))
end

return html
