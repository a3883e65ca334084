/* Name the arrows that open sections of the navigation, for screen readers: the theme leaves them without a text. */
document.addEventListener("DOMContentLoaded", () => {
  for (const arrow of document.querySelectorAll("summary > .toctree-toggle")) {
    const section = arrow.closest("li").querySelector("a");
    arrow.parentElement.setAttribute("aria-label", `Pages of ${section.textContent.trim()}`);
  }
});
