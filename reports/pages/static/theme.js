// A button for who wants the other theme than the system's. Without this script the system decides.
"use strict";
(() => {
  const button = document.getElementById("theme");
  const themes = ["system", "light", "dark"];
  const remembered = () => {
    try { return localStorage.getItem("bench-theme"); } catch { return null; }
  };
  const show = (theme) => {
    if (theme === "system") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.setAttribute("data-theme", theme);
    button.textContent = `Theme: ${theme}`;
    button.dataset.now = theme;
  };
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(button.dataset.now) + 1) % themes.length];
    try { localStorage.setItem("bench-theme", next); } catch { /* a private window: for this page */ }
    show(next);
  });
  show(themes.includes(remembered()) ? remembered() : "system");
  button.hidden = false;
})();
