"use strict";
(function () {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const places = Array.from(document.querySelectorAll("[data-chart]"));

  function themed(layout) {
    const css = getComputedStyle(document.documentElement);
    const ink = css.getPropertyValue("--ink").trim(), grid = css.getPropertyValue("--grid").trim();
    const out = Object.assign({}, layout, {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest",
      modebar: {bgcolor: "rgba(0,0,0,0)", color: css.getPropertyValue("--soft").trim(), activecolor: ink},
      font: {family: "system-ui, sans-serif", size: 12, color: ink},
      hoverlabel: {bgcolor: css.getPropertyValue("--paper").trim(), font: {color: ink}},
    });
    for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
      out[name] = Object.assign({}, layout[name], {gridcolor: grid, linecolor: ink, zerolinecolor: ink, showline: true, ticks: "outside", tickcolor: grid});
    }
    out.legend = Object.assign({}, layout.legend, narrow() ? {orientation: "h", y: -60 / (layout.height - 210)} : {x: 1.01, y: 1});
    return out;
  }

  function inked(data) {
    const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
    return data.map((trace) => trace.meta === "ink" ? Object.assign({}, trace, {line: Object.assign({}, trace.line, {color: ink}), marker: {color: ink}}) : trace);
  }

  const narrow = () => window.innerWidth < 900;

  function draw() {
    for (const place of places) {
      const chart = charts[place.dataset.chart];
      Plotly.react(place, inked(chart.data), themed(chart.layout), {responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"]});
    }
  }

  draw();
  dark.addEventListener("change", draw);
  for (const choice of document.querySelectorAll("input[name=reference]")) {
    choice.addEventListener("change", () => {
      for (const figure of document.querySelectorAll("figure[data-reference]")) {
        const own = figure.dataset.reference;
        figure.hidden = choice.value !== "" && own !== "" && own !== choice.value;
      }
      for (const place of places) if (!place.closest("[hidden]")) Plotly.Plots.resize(place);
    });
  }
})();
