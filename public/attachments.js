/* Above the composer, of each file in it: what it will cost in tokens, or why it cannot be sent. The
   words come from the server, in the reader's language; so do, here, those of the composer itself. */
(() => {
  "use strict";

  const composer = () => document.getElementById("message-composer");
  const lines = document.createElement("div");
  lines.id = "attachment-costs";
  lines.className = "k-small";
  lines.setAttribute("role", "status");
  lines.style.cssText = "padding: 0 1rem 0.375rem; display: grid; gap: 0.125rem";

  /* A file taken out, or sent, takes its line along: Chainlit's list of files is the truth. */
  const tidy = () => {
    const held = document.getElementById("attachments");
    const gone = [...lines.children].filter((line) => !held?.innerHTML.includes(line.dataset.name));
    if (lines.childElementCount > (held?.childElementCount ?? 0)) gone.forEach((line) => line.remove());
    if (!lines.childElementCount) lines.remove();
  };

  const watcher = new MutationObserver(tidy);

  const say = ({ name, text, refused }) => {
    const place = composer();
    if (!text || !place) return;
    const line = document.createElement("div");
    line.textContent = text;
    line.dataset.name = name;
    line.style.color = `hsl(var(--${refused ? "destructive" : "muted-foreground"}))`;
    lines.append(line);
    place.before(lines);
    watcher.disconnect();
    watcher.observe(place, { childList: true, subtree: true });
  };

  const uploaded = async (url, answer) => {
    try {
      const address = new URL(url, window.location.href);
      const { id } = JSON.parse(answer);
      const asked = new URLSearchParams({ session_id: address.searchParams.get("session_id"), file: id });
      const path = address.pathname.replace(/project\/file$/, "chat/attachment");
      const response = await fetch(`${path}?${asked}`);
      if (response.ok) say(await response.json());
    } catch (error) {
      console.warn("no word about the attached file", error); /* Sending it works all the same. */
    }
  };

  /* What Chainlit's composer (2.12.0) refuses by itself it refuses in English. */
  const REFUSALS = [
    [/^File is larger than (\d+) MB$/, {
      ru: "Файл больше $1 МБ. Приложите его часть или сожмите изображение.",
      uk: "Файл більший за $1 МБ. Додайте його частину або стисніть зображення.",
      en: "The file is larger than $1 MB. Attach a part of it, or compress the image.",
    }],
    [/^File type must be .*$/, {
      ru: "Такие файлы не читаются. Подойдут текст, код, Markdown, CSV, JSON, PDF, DOCX, PPTX, XLSX, EPUB и изображения.",
      uk: "Такі файли не читаються. Підійдуть текст, код, Markdown, CSV, JSON, PDF, DOCX, PPTX, XLSX, EPUB і зображення.",
      en: "Such files cannot be read. Text, code, Markdown, CSV, JSON, PDF, DOCX, PPTX, XLSX, EPUB and images can.",
    }],
    [/^Too many files$/, {
      ru: "Слишком много файлов за один раз.",
      uk: "Забагато файлів за один раз.",
      en: "Too many files at a time.",
    }],
  ];

  window.Konsilium.whenDrawn("[data-sonner-toast] [data-title]", (title) => {
    const refusal = REFUSALS.find(([said]) => said.test(title.textContent));
    if (!refusal) return;
    const text = window.Konsilium.words(document.documentElement.lang.slice(0, 2), refusal[1]);
    title.textContent = title.textContent.replace(refusal[0], text);
  });

  const open = XMLHttpRequest.prototype.open;
  XMLHttpRequest.prototype.open = function (method, url, ...rest) {
    if (method === "POST" && String(url).includes("/project/file?")) {
      this.addEventListener("load", () => this.status === 200 && uploaded(String(url), this.responseText));
    }
    return open.call(this, method, url, ...rest);
  };
})();
