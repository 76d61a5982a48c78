"""The page's template and script. Values are escaped by the template, or are JSON."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src \
'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="generator" content="adaptive_nets {{ version }}">
<title>{{ report.title }}</title>
<style>{{ style }}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>
<h1>{{ report.title }}</h1>
<p class="verdict">{{ report.verdict }}</p>
</header>
<nav aria-label="Sections">
<ul>
{%- for section in report.sections %}
<li><a href="#{{ section.name }}">{{ section.title }}</a></li>
{%- endfor %}
</ul>
</nav>
<main id="content">
{%- for section in sections %}
<section id="{{ section.name }}" aria-labelledby="{{ section.name }}-title">
<h2 id="{{ section.name }}-title">{{ section.title }}</h2>
{%- for block in section.blocks %}
{%- if block.type == "text" %}
<p{% if block.warning %} class="warning"{% endif %}>{{ block.text }}</p>
{%- elif block.type == "code" %}
<h3 class="code-title">{{ block.title }}</h3>
<pre tabindex="0" aria-label="{{ block.title }}"><code>{{ block.text }}</code></pre>
{%- elif block.type == "table" and block.folded %}
<details><summary>{{ block.title }}: {{ block.left_out + block.rows|length }} rows</summary>\
{{ table(block) }}</details>
{%- elif block.type == "table" %}
{{ table(block) }}
{%- else %}
<figure id="figure-{{ block.name }}">
<figcaption>{{ block.title }}</figcaption>
<div class="chart" data-chart="{{ block.name }}" role="img" aria-label="{{ block.alt }}"></div>
<noscript><div class="still" role="img" aria-label="{{ block.alt }}">{{ block.still }}</div>\
</noscript>
<details><summary>Data of “{{ block.title }}”</summary>{{ table(block) }}</details>
</figure>
{%- endif %}
{%- endfor %}
</section>
{%- endfor %}
</main>
<footer>
<p>Made by adaptive_nets {{ version }}. This page needs no network.</p>
</footer>
<script type="application/json" id="charts">{{ charts }}</script>
<script type="module">{{ script }}</script>
</body>
</html>
"""

TABLE = """<div class="scroll" role="region" tabindex="0" aria-label="{{ block.title }}">
<table class="sortable">
<caption>{{ block.title }}{% if block.left_out %} (the first {{ block.rows|length }} rows of \
{{ block.left_out + block.rows|length }}){% endif %}</caption>
<thead><tr>
{%- for column in block.columns %}
<th scope="col" aria-sort="none"{% if column.numeric %} class="number"{% endif %}>\
<button type="button">{{ column.name }}</button></th>
{%- endfor %}
</tr></thead>
<tbody>
{%- for row in block.rows %}
<tr>
{%- for cell in row %}<td{% if block.columns[loop.index0].numeric %} class="number"{% endif %}\
{% if cell.number is not none %} data-value="{{ cell.number }}"{% endif %}>{{ cell.text }}</td>\
{% endfor %}</tr>
{%- endfor %}
</tbody>
</table>
</div>"""

SCRIPT = """
const charts = JSON.parse(document.getElementById("charts").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const drawn = new Map();
async function draw(element) {
  const name = element.dataset.chart;
  const config = charts.settings[dark.matches ? "dark" : "light"];
  if (drawn.has(element)) drawn.get(element).finalize();
  const options = {
    actions: false, renderer: "svg", ast: true, config: config, defaultStyle: false,
    tooltip: {disableDefaultStyle: true},
  };
  drawn.set(element, await vegaEmbed(element, structuredClone(charts.charts[name]), options));
  // The figure has a name of its own; the parts of the picture would be read one by one.
  const picture = element.querySelector("svg");
  picture.setAttribute("aria-hidden", "true");
  element.dataset.drawn = "true";
}
const figures = [...document.querySelectorAll("[data-chart]")];
async function drawAll() { for (const each of figures) await draw(each); }
dark.addEventListener("change", drawAll);
drawAll();
for (const button of document.querySelectorAll("table.sortable th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), table = button.closest("table");
    const place = head.cellIndex, body = table.tBodies[0];
    const falling = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.children) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const read = (row) => {
      const cell = row.cells[place];
      return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
    };
    const rows = [...body.rows], sign = falling ? -1 : 1;
    rows.sort((one, other) => {
      const a = read(one), b = read(other);
      // What has no value is last, whichever way the rest is sorted.
      if ((a === "–") !== (b === "–")) return a === "–" ? 1 : -1;
      if (typeof a === "number" && typeof b === "number") return sign * (a - b);
      return sign * String(a).localeCompare(String(b), "en", {numeric: true});
    });
    body.append(...rows);
  });
}
"""
