/* Where conversations go: "Archive" in the menu of a thread, and conversations that leave nothing. */
(() => {
  "use strict";

  const TEXTS = {
    ru: {
      archive: "В архив", archived: "Разговор в архиве", undo: "Вернуть", temporary: "Временный разговор",
      here: "Временный разговор: не хранится и исчезнет, когда вы уйдёте.", keep: "Сохранить",
    },
    uk: {
      archive: "До архіву", archived: "Розмова в архіві", undo: "Повернути", temporary: "Тимчасова розмова",
      here: "Тимчасова розмова: не зберігається і зникне, коли ви підете.", keep: "Зберегти",
    },
    en: {
      archive: "Archive", archived: "The conversation is in the archive", undo: "Undo", temporary: "Temporary chat",
      here: "Temporary chat: it is not kept, and is gone when you leave.", keep: "Keep it",
    },
  };
  const K = window.Konsilium;
  const text = () => K.words(document.documentElement.lang.slice(0, 2), TEXTS);
  const here = (path) => new URL(`${K.root}${path}`, window.location.origin);
  const openThread = () => /\/thread\/([0-9a-f-]{36})\/?$/.exec(window.location.pathname)?.[1];
  const svg = (paths) =>
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 24 24" fill="none" stroke="currentColor" ' +
    `stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${paths}</svg>`;
  const BOX = svg('<rect width="20" height="5" x="2" y="3" rx="1"/><path d="M4 8v11a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2V8M10 12h4"/>');
  const DASHED = svg('<path stroke-dasharray="4 3" d="M7.9 20A9 9 0 1 0 4 16.1L2 22Z"/>');

  const make = (tag, attributes, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const set = (element, words) => {
    if (element.textContent !== words) element.textContent = words;
  };

  /* -- the archive: an entry of Chainlit's menu of a thread, above "Delete" ------------------------ */

  const away = new Set();
  const hiding = document.head.appendChild(make("style", {}));
  const hide = () => {
    hiding.textContent = [...away].map((id) => `[id="thread-${id}"] { display: none }`).join("\n");
  };
  const post = async (path, thread) => {
    const answer = await fetch(here(path), { method: "POST", body: new URLSearchParams({ thread }), redirect: "manual" });
    return answer.ok || answer.type === "opaqueredirect";
  };
  const archive = async (thread) => {
    if (!(await post("archive/add", thread))) return;
    away.add(thread);
    hide();
    if (thread === openThread()) document.querySelector("#new-chat-button")?.click();
    window.postMessage({ konsilium_undo: { archived: thread, said: text().archived } }, window.location.origin);
  };
  window.addEventListener("message", ({ data, source }) => {
    if (source !== window || !data?.konsilium_unarchive) return;
    post("archive/restore", data.konsilium_unarchive).then((done) => {
      if (!done) return;
      away.delete(data.konsilium_unarchive);
      hide();
    });
  });
  const THREAD = /^thread-([0-9a-f-]{36})$/;
  const openMenu = () => document.querySelector('[id="thread-options"][data-state="open"]');
  const threadOf = (button) => {
    for (let at = button; at; at = at.parentElement) if (THREAD.test(at.id)) return THREAD.exec(at.id)[1];
    return null;
  };
  /* Escape closes what is uppermost: a hint that stands over the menu first. */
  const close = (menu, tries = 5) => {
    if (!tries || menu.dataset.state !== "open") return;
    document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true, cancelable: true }));
    setTimeout(close, 50, menu, tries - 1);
  };
  const offerArchive = () => {
    const last = document.querySelector('[role="menu"] #delete-thread');
    const menu = last?.closest('[role="menu"]');
    if (!menu || menu.querySelector("#k-archive-thread")) return;
    const entry = make("div", { id: "k-archive-thread", role: "menuitem", tabindex: "-1", class: last.className.replace(/text-red-500|focus:text-red-500/g, "") });
    entry.append(text().archive);
    entry.insertAdjacentHTML("beforeend", BOX);
    const chosen = (event) => {
      event.stopPropagation();
      const thread = threadOf(openMenu());
      close(menu);
      if (thread) archive(thread);
    };
    entry.addEventListener("click", chosen);
    entry.addEventListener("keydown", (event) => ["Enter", " "].includes(event.key) && chosen(event));
    entry.addEventListener("pointermove", () => entry.focus());
    last.before(entry);
  };

  /* -- temporary conversations: a button of a new chat, and a line above the composer --------------- */

  const button = make("button", { id: "k-temporary", class: "k-icon-button" });
  button.innerHTML = DASHED;
  const form = make("form", { method: "post", action: here("temporary").href }, button);
  const keep = make("button", { type: "button", class: "k-button" });
  keep.addEventListener("click", () => K.tell({ event: "keep" }));
  const words = make("span", {});
  const line = make("div", { id: "k-temporary-line", role: "note" }, words, keep);
  let temporary = null;
  window.addEventListener("message", ({ data, source }) => {
    if (source !== window || data?.konsilium_temporary === undefined) return;
    temporary = data.konsilium_temporary;
    look();
  });
  const offerTemporary = () => {
    const header = document.querySelector("#header > div:last-child");
    const isNew = window.location.pathname === K.root;
    if (!isNew) form.remove();
    else if (header && form.parentElement !== header) header.prepend(form);
    if (button.title !== text().temporary) {
      button.title = text().temporary;
      button.setAttribute("aria-label", text().temporary);
    }
    const shown = temporary !== null && temporary === openThread();
    document.documentElement.toggleAttribute("data-k-temporary", shown);
    const composer = document.querySelector("#message-composer");
    if (!shown) line.remove();
    else if (composer && line.nextElementSibling !== composer) composer.before(line);
    set(words, text().here);
    set(keep, text().keep);
  };

  function look() {
    offerArchive();
    offerTemporary();
  }
  let waiting = false;
  new MutationObserver(() => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      look();
    });
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
