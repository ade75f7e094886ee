/* A picture or a video of another machine is not fetched: the page's policy forbids it, since an answer could
   carry away what was said in its address. In its place stands the address, which opens by a click. */
(() => {
  "use strict";

  const TEXTS = {
    ru: {
      picture: { open: "Открыть картинку с", hint: "Картинка лежит на другом сервере и сама не загружается", missing: "Модель назвала картинку, но самой картинки нет" },
      video: { open: "Открыть видео с", hint: "Видео лежит на другом сервере и само не загружается" },
    },
    uk: {
      picture: { open: "Відкрити зображення з", hint: "Зображення лежить на іншому сервері й саме не завантажується", missing: "Модель назвала зображення, але самого зображення немає" },
      video: { open: "Відкрити відео з", hint: "Відео лежить на іншому сервері й саме не завантажується" },
    },
    en: {
      picture: { open: "Open the picture from", hint: "The picture is on another server and is not loaded by itself", missing: "The model names a picture, but there is none" },
      video: { open: "Open the video from", hint: "The video is on another server and is not loaded by itself" },
    },
  };
  const text = () => window.Konsilium.words(document.documentElement.lang.slice(0, 2), TEXTS);
  const escape = (words) => words.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

  const DRAWN = "data:image/svg+xml,";
  const drawn = (words) => {
    const width = Math.min(360, 44 + words.length * 8);
    const svg =
      `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="40">` +
      "<style>text{fill:#2c5fb3}@media(prefers-color-scheme:dark){text{fill:#8fb4f2}}</style>" + // the page's own scheme
      `<rect x=".5" y=".5" width="${width - 1}" height="39" rx="8" fill="#8881" stroke="#8886"/>` +
      `<text x="14" y="25" font-family="system-ui, sans-serif" font-size="14">↗ ${escape(words)}</text></svg>`;
    return DRAWN + encodeURIComponent(svg);
  };

  const stranger = (address) => {
    try {
      const url = new URL(address, window.location.href);
      return /^https?:$/.test(url.protocol) && url.origin !== window.location.origin ? url : null;
    } catch {
      return null;
    }
  };

  const put = (image, url, kind = "picture") => {
    const { open, hint } = text()[kind];
    const words = `${open} ${url.host}`;
    image.dataset.away = url.href;
    image.src = drawn(words.length > 40 ? `${words.slice(0, 39)}…` : words);
    image.alt = `${words}: ${url.href}`;
    image.title = `${hint}: ${url.href}`;
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

  /* React gives a picture its address by the attribute, and once more by the property when it is shown: not
     even the attempt is made. */
  const set = Element.prototype.setAttribute;
  const src = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, "src");
  Object.defineProperty(HTMLImageElement.prototype, "src", {
    ...src,
    set(value) {
      const url = stranger(value);
      if (url) return put(this, url);
      if (!String(value).startsWith(DRAWN)) delete this.dataset.away;
      return src.set.call(this, value);
    },
  });
  HTMLImageElement.prototype.setAttribute = function (name, value) {
    if (name === "src") this.src = value;
    else if (name !== "alt" || !this.dataset.away) set.call(this, name, value);
  };
  HTMLVideoElement.prototype.setAttribute = function (name, value) {
    const url = name === "src" && stranger(value);
    if (!url) return set.call(this, name, value);
    this.dataset.away = url.href;
    this.hidden = true;
    return undefined;
  };
  window.Konsilium.whenDrawn("video[data-away]", (video) => {
    if (video.previousElementSibling) return;
    const image = new Image();
    put(image, new URL(video.dataset.away), "video");
    video.before(image);
  });
  /* An answer names pictures that are nowhere ("chart.png", "sandbox:/…"): their words stand in place of a
     broken box. */
  const found = ({ type, target }) => {
    const box = target.matches?.(".message-content .prose img") && target.closest("[data-radix-aspect-ratio-wrapper]")?.parentElement;
    if (!box) return;
    if (type === "load") {
      delete box.dataset.kMissing;
    } else {
      box.dataset.kMissing = target.alt;
      box.title = text().picture.missing;
    }
  };
  document.addEventListener("error", found, true);
  document.addEventListener("load", found, true);
  for (const image of document.images) {
    const url = stranger(image.getAttribute("src") ?? "");
    if (url) put(image, url);
  }
})();
