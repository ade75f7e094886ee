/* An answer is read aloud by the browser's own voice: a button beside its copying, which also ends that. Code,
   numbers and buttons are not read. A browser without a voice has no such button. */
(() => {
  "use strict";

  const TEXTS = {
    ru: { read: "Прочитать вслух", stop: "Остановить чтение" },
    uk: { read: "Прочитати вголос", stop: "Зупинити читання" },
    en: { read: "Read aloud", stop: "Stop reading" },
  };
  const K = window.Konsilium;
  const text = () => K.words(document.documentElement.lang.slice(0, 2), TEXTS);
  const speech = window.speechSynthesis;
  if (!speech) return;

  const ICONS = {
    read: '<path d="M11 5 6 9H3v6h3l5 4Z"/><path d="M15.5 8.5a5 5 0 0 1 0 7M18.5 5.5a9 9 0 0 1 0 13"/>',
    stop: '<rect x="6" y="6" width="12" height="12" rx="1.5"/>',
  };
  const LONGEST = 220; // characters: some voices fall silent in a longer piece

  const languageOf = (words) => (/[іїєґ]/i.test(words) ? "uk-UA" : /[а-яё]/i.test(words) ? "ru-RU" : "en-US");
  const wordsOf = (answer) =>
    [...answer.querySelectorAll(".message-content .prose")]
      .map((prose) => {
        const said = prose.cloneNode(true);
        for (const silent of said.querySelectorAll(".bg-card:has(code), pre, .katex-mathml, button, sup")) silent.remove();
        for (const block of said.querySelectorAll("p, li, h1, h2, h3, h4, td, th, [role=article]")) block.append("\n");
        return said.textContent;
      })
      .join("\n");
  /* Sentence after sentence; what is longer is cut at a blank. */
  const pieces = (words) =>
    words
      .split(/(?<=[.!?…])\s+|\n+/)
      .flatMap((sentence) => sentence.match(new RegExp(`.{1,${LONGEST}}(?:\\s|$)|\\S+`, "g")) ?? [])
      .map((piece) => piece.trim())
      .filter(Boolean);

  let reading = null;
  const face = (button, name) => {
    button.title = text()[name];
    button.setAttribute("aria-label", text()[name]);
    button.innerHTML = `<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${ICONS[name]}</svg>`;
  };
  const stop = () => {
    if (reading) face(reading, "read");
    reading = null;
    speech.cancel();
  };
  const read = (button) => {
    stop();
    const words = wordsOf(button.closest("[data-step-type]"));
    const all = pieces(words);
    if (!all.length) return;
    reading = button;
    face(button, "stop");
    all.forEach((piece, place) => {
      const said = Object.assign(new SpeechSynthesisUtterance(piece), { lang: languageOf(words) });
      if (place === all.length - 1) said.onend = () => reading === button && stop();
      speech.speak(said);
    });
  };

  const offer = () => {
    if (reading && !reading.isConnected) stop(); // the conversation was left
    if (!speech.getVoices().length) return;
    for (const copy of document.querySelectorAll('[data-step-type="assistant_message"] button:has(> .lucide-copy)')) {
      const row = copy.parentElement;
      if (copy.matches(".k-button, pre *") || row.querySelector(":scope > .k-aloud") || copy.closest(".message-content")) continue;
      const button = Object.assign(document.createElement("button"), { type: "button", className: "k-aloud" });
      face(button, "read");
      button.addEventListener("click", () => (reading === button ? stop() : read(button)));
      row.append(button);
    }
  };

  let waiting = false;
  const soon = () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      offer();
    }, 250);
  };
  new MutationObserver(soon).observe(document.documentElement, { childList: true, subtree: true });
  speech.addEventListener?.("voiceschanged", soon);
  window.addEventListener("pagehide", stop);
})();
