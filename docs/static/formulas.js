/* Draw every formula of the page. MathML is made beside the drawing, for screen readers. */
document.addEventListener("DOMContentLoaded", () => {
  for (const place of document.querySelectorAll(".tex")) {
    katex.render(place.textContent, place, { displayMode: "display" in place.dataset, throwOnError: false, output: "htmlAndMathml" });
  }
});
