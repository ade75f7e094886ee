/* The chat's theme, before anything is drawn; follows the system where the chat does. */
(() => {
  "use strict";
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  const chosen = () => {
    try {
      return localStorage.getItem("vite-ui-theme");
    } catch {
      return null; /* Storage is closed to us (private mode). */
    }
  };

  const apply = () => {
    const theme = chosen();
    const dark = theme === "dark" || (theme !== "light" && system.matches);
    document.documentElement.classList.toggle("dark", dark);
    document.dispatchEvent(new Event("themechange"));
  };

  system.addEventListener("change", apply);
  window.addEventListener("storage", (event) => event.key === "vite-ui-theme" && apply());
  apply();
})();
