/* When something was said: beside each message and each chat of the list in words ("5 minutes ago"), exactly
   where it is pointed at. The moments are in the page (view/chainlit/markdown.py puts them there), as are the
   words around what a search has found; and a chat of the list is renamed or deleted by buttons of its own. */
(() => {
  "use strict";

  const TEXTS = {
    ru: { rename: "Переименовать чат", remove: "Удалить чат" },
    uk: { rename: "Перейменувати чат", remove: "Видалити чат" },
    en: { rename: "Rename the chat", remove: "Delete the chat" },
  };
  const K = window.Konsilium;
  const lang = () => document.documentElement.lang.slice(0, 2) || "en";
  const text = () => K.words(lang(), TEXTS);
  const ICONS = {
    rename: '<path d="M12 20h9"/><path d="M16.5 3.5a2.1 2.1 0 0 1 3 3L7 19l-4 1 1-4Z"/>',
    remove: '<path d="M3 6h18M8 6V4h8v2M19 6l-1 14H6L5 6M10 11v5M14 11v5"/>',
  };

  const ENTRIES = { rename: "#rename-thread", remove: "#delete-thread" }; // of Chainlit's menu of a chat

  const STEPS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 7]];
  const ago = (moment) => {
    let past = (moment - Date.now()) / 1000;
    if (past > -45) return new Intl.RelativeTimeFormat(lang(), { numeric: "auto" }).format(0, "second");
    for (const [unit, size] of STEPS) {
      if (past > -size) return new Intl.RelativeTimeFormat(lang(), { numeric: "auto" }).format(Math.min(-1, Math.round(past)), unit);
      past /= size;
    }
    const year = moment.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
    return new Intl.DateTimeFormat(lang(), { day: "numeric", month: "short", year }).format(moment);
  };
  const exactly = (moment) => new Intl.DateTimeFormat(lang(), { dateStyle: "long", timeStyle: "medium" }).format(moment);

  const put = (place, stamp) => {
    const moment = new Date(stamp);
    if (Number.isNaN(moment.getTime())) return;
    let time = place.querySelector(":scope > time.k-time");
    if (!time) {
      time = Object.assign(document.createElement("time"), { className: "k-time" });
      place.append(time);
    }
    const said = ago(moment);
    if (time.textContent !== said) time.textContent = said;
    if (time.dateTime !== moment.toISOString() || time.lang !== lang()) {
      Object.assign(time, { dateTime: moment.toISOString(), lang: lang(), title: exactly(moment) });
    }
  };

  /* What Chainlit's menu of a chat does, without its being seen: the menu is opened and its entry pressed. */
  const press = (row, name) => {
    const options = row.querySelector("#thread-options");
    options.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true, cancelable: true, button: 0, ctrlKey: false, pointerType: "mouse" }));
    const look = (again) => {
      const entry = document.querySelector(ENTRIES[name]);
      if (entry) entry.click();
      else if (again) requestAnimationFrame(() => look(again - 1));
    };
    look(60);
  };
  const offer = (row) => {
    if (row.querySelector(":scope > .k-chat-buttons") || !row.querySelector("#thread-options")) return;
    const buttons = Object.keys(ENTRIES).map((name) => {
      const button = Object.assign(document.createElement("button"), { type: "button", title: text()[name] });
      button.setAttribute("aria-label", text()[name]);
      button.innerHTML = `<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${ICONS[name]}</svg>`;
      button.addEventListener("click", () => press(row, name));
      return button;
    });
    const place = Object.assign(document.createElement("span"), { className: "k-chat-buttons" });
    place.append(...buttons);
    row.append(place);
  };

  /* The words that were looked for, in titles and in what was said, whatever their ending and their ё. */
  const wanted = () => {
    const words = (document.querySelector("[cmdk-input]")?.value ?? "").match(/[\p{L}\p{N}]+/gu) ?? [];
    return words.length ? new RegExp(`(?<![\\p{L}\\p{N}])(?:${words.map((word) => word.replace(/[её]/gi, "[её]")).join("|")})`, "giu") : null;
  };
  const marked = new Map();
  const mark = () => {
    const found = document.querySelectorAll("[cmdk-item] [data-k-time]");
    if (!found.length && !marked.size) return;
    marked.clear();
    const words = wanted();
    for (const title of found) {
      const excerpt = title.dataset.kExcerpt;
      if (excerpt && !title.parentElement.querySelector(":scope > .k-excerpt")) {
        title.after(Object.assign(document.createElement("div"), { className: "k-excerpt", textContent: excerpt }));
        title.parentElement.classList.add("k-found");
      }
      for (const place of words ? title.parentElement.querySelectorAll(":scope > div") : []) {
        const said = document.createTreeWalker(place, NodeFilter.SHOW_TEXT).nextNode();
        for (const { index, 0: word } of said?.data.matchAll(words) ?? []) {
          const range = new Range();
          range.setStart(said, index);
          range.setEnd(said, index + word.length);
          marked.set(range, word);
        }
      }
    }
    window.CSS.highlights?.set("k-found", new window.Highlight(...marked.keys()));
  };

  const look = () => {
    for (const step of document.querySelectorAll("[data-step-type][data-k-time]")) {
      if (!step.matches(".step .step") && step.dataset.stepType.endsWith("_message") && step.firstElementChild) put(step.firstElementChild, step.dataset.kTime);
    }
    const said = [...document.querySelectorAll('[data-step-type="user_message"]')].at(-1);
    const open = /\/thread\/([0-9a-f-]{36})/.exec(window.location.pathname)?.[1];
    for (const row of document.querySelectorAll("#thread-history li[data-k-time]")) {
      const latest = said && row.id === `thread-${open}` && said.dataset.kTime > row.dataset.kTime ? said.dataset.kTime : row.dataset.kTime;
      if (row.firstElementChild) put(row.firstElementChild, latest);
      offer(row);
    }
    mark();
  };

  let waiting = false;
  const soon = () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      look();
    }, 250);
  };
  new MutationObserver(soon).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["lang", "data-k-time"] });
  setInterval(() => document.hidden || look(), 30_000);
})();
