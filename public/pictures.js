/* A picture of another machine is not fetched: the page's policy forbids it, since an answer could carry
   away what was said in the picture's address. In its place stands the address, which opens by a click. */
(() => {
  "use strict";

  const TEXTS = {
    ru: { open: "Открыть картинку с", hint: "Картинка лежит на другом сервере и сама не загружается" },
    uk: { open: "Відкрити зображення з", hint: "Зображення лежить на іншому сервері й саме не завантажується" },
    en: { open: "Open the picture from", hint: "The picture is on another server and is not loaded by itself" },
  };
  const text = () => window.Konsilium.words(document.documentElement.lang.slice(0, 2), TEXTS);
  const escape = (words) => words.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

  const drawn = (words) => {
    const width = Math.min(360, 44 + words.length * 8);
    const svg =
      `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="40">` +
      `<rect x=".5" y=".5" width="${width - 1}" height="39" rx="8" fill="#8881" stroke="#8886"/>` +
      `<text x="14" y="25" font-family="system-ui, sans-serif" font-size="14" fill="#4477cc">↗ ${escape(words)}</text></svg>`;
    return `data:image/svg+xml,${encodeURIComponent(svg)}`;
  };

  const stranger = (address) => {
    try {
      const url = new URL(address, window.location.href);
      return /^https?:$/.test(url.protocol) && url.origin !== window.location.origin ? url : null;
    } catch {
      return null;
    }
  };

  const put = (image) => {
    const url = stranger(image.getAttribute("src") ?? "");
    if (!url) return;
    const words = `${text().open} ${url.host}`;
    image.dataset.away = url.href;
    image.src = drawn(words.length > 40 ? `${words.slice(0, 39)}…` : words);
    image.alt = `${words}: ${url.href}`;
    image.title = `${text().hint}: ${url.href}`;
    image.tabIndex = 0;
    image.setAttribute("role", "link");
  };

  const open = (event) => {
    const image = event.target.closest?.("img[data-away]");
    if (!image || (event.type === "keydown" && event.key !== "Enter")) return;
    event.preventDefault();
    event.stopPropagation();
    window.open(image.dataset.away, "_blank", "noopener,noreferrer");
  };
  document.addEventListener("click", open, true);
  document.addEventListener("keydown", open, true);

  new MutationObserver((changes) => {
    for (const { type, target, addedNodes } of changes) {
      if (type === "attributes") {
        if (target.matches("img")) put(target);
        continue;
      }
      for (const node of addedNodes) {
        if (node.nodeType !== Node.ELEMENT_NODE) continue;
        if (node.matches("img")) put(node);
        for (const image of node.querySelectorAll("img")) put(image);
      }
    }
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["src"] });
  for (const image of document.images) put(image);
})();
