/* When something was said: beside each message and each chat of the list in words ("5 minutes ago"), exactly
   where it is pointed at. The moments are in the page (view/chainlit/markdown.py puts them there), as are the
   words around what a search has found; and a chat of the list is renamed or deleted by buttons of its own. */
(() => {
  "use strict";

  const TEXTS = {
    ru: { rename: "Переименовать разговор", remove: "Удалить разговор", actions: "Все действия с разговором" },
    uk: { rename: "Перейменувати розмову", remove: "Видалити розмову", actions: "Усі дії з розмовою" },
    en: { rename: "Rename the conversation", remove: "Delete the conversation", actions: "All actions on the conversation" },
  };
  const K = window.Konsilium;
  const lang = () => document.documentElement.lang.slice(0, 2) || "en";
  const text = () => K.words(lang(), TEXTS);
  /* Entries of Chainlit's menu of a chat. */
  const ENTRIES = { rename: ["#rename-thread", "pencil"], remove: ["#delete-thread", "bin"] };

  const STEPS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 7]];
  const ago = (moment) => {
    let past = (moment - Date.now()) / 1000;
    if (past > -45) return K.format("RelativeTimeFormat", lang(), { numeric: "auto" }).format(0, "second");
    for (const [unit, size] of STEPS) {
      if (past > -size) return K.format("RelativeTimeFormat", lang(), { numeric: "auto" }).format(Math.min(-1, Math.trunc(past)), unit);
      past /= size;
    }
    const year = moment.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
    return K.format("DateTimeFormat", lang(), { day: "numeric", month: "short", year }).format(moment);
  };
  const exactly = (moment) => K.format("DateTimeFormat", lang(), { dateStyle: "long", timeStyle: "medium" }).format(moment);

  const put = (place, stamp) => {
    const moment = new Date(stamp);
    if (Number.isNaN(moment.getTime())) return;
    let time = place.querySelector(":scope > time.k-time");
    if (!time) {
      time = K.make("time", { class: "k-time" });
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
      const entry = document.querySelector(ENTRIES[name][0]);
      if (entry) entry.click();
      else if (again) requestAnimationFrame(() => look(again - 1));
    };
    look(60);
  };
  const offer = (row) => {
    if (row.querySelector(":scope > .k-chat-buttons") || !row.querySelector("#thread-options")) return;
    const buttons = Object.entries(ENTRIES).map(([name, [, icon]]) => {
      const button = K.make("button", { type: "button" }, K.icon(icon));
      K.label(button, text()[name]);
      button.addEventListener("click", () => press(row, name));
      return button;
    });
    /* Chainlit's own way to the menu is no stop of the keyboard; an arrow opens it at its first entry. */
    const menu = K.make("button", { type: "button", class: "k-chat-menu", "aria-haspopup": "menu" }, K.icon("dots"));
    K.label(menu, text().actions);
    menu.addEventListener("click", () => row.querySelector("#thread-options").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true })));
    row.append(K.make("span", { class: "k-chat-buttons" }, menu, ...buttons));
  };

  /* The words that were looked for, in titles and in what was said, whatever their ending and their ё. */
  const wanted = () => {
    const words = (document.querySelector("[cmdk-input]")?.value ?? "").match(/[\p{L}\p{N}]+/gu) ?? [];
    return words.length ? new RegExp(`(?<![\\p{L}\\p{N}])(?:${words.map((word) => word.replace(/[её]/gi, "[её]")).join("|")})`, "giu") : null;
  };
  const found = new Set();
  const mark = () => {
    if (!found.size) return;
    const ranges = [];
    const words = wanted();
    for (const title of found) {
      if (!title.isConnected) {
        found.delete(title);
        continue;
      }
      const excerpt = title.dataset.kExcerpt;
      if (excerpt && !title.parentElement.querySelector(":scope > .k-excerpt")) {
        title.after(K.make("div", { class: "k-excerpt" }, excerpt));
        title.parentElement.classList.add("k-found");
      }
      for (const place of words ? title.parentElement.querySelectorAll(":scope > div") : []) {
        const said = document.createTreeWalker(place, NodeFilter.SHOW_TEXT).nextNode();
        for (const { index, 0: word } of said?.data.matchAll(words) ?? []) {
          const range = new Range();
          range.setStart(said, index);
          range.setEnd(said, index + word.length);
          ranges.push(range);
        }
      }
    }
    window.CSS.highlights?.set("k-found", new window.Highlight(...ranges));
  };

  const MESSAGE = '[data-step-type$="_message"][data-k-time]';
  const CHAT = "#thread-history li[data-k-time]";
  const stampMessage = (step) => {
    if (step?.firstElementChild && !step.matches(".step .step")) put(step.firstElementChild, step.dataset.kTime);
  };
  /* The list of chats is asked for when the page opens: what was said since then is newer. */
  const stampChat = (row) => {
    const said = row.id === `thread-${openThread()}` ? [...document.querySelectorAll('[data-step-type="user_message"]')].at(-1) : null;
    const latest = said && said.dataset.kTime > row.dataset.kTime ? said.dataset.kTime : row.dataset.kTime;
    if (row.firstElementChild) put(row.firstElementChild, latest);
    offer(row);
  };
  const { openThread } = K;
  const stampOpen = () => {
    const row = document.getElementById(`thread-${openThread()}`);
    if (row?.matches(CHAT)) stampChat(row);
  };

  K.whenDrawn(MESSAGE, stampMessage);
  K.whenDrawn(`${MESSAGE} > :first-child`, ({ parentElement }) => stampMessage(parentElement));
  K.whenDrawn('[data-step-type="user_message"]', stampOpen);
  K.whenDrawn(CHAT, stampChat);
  K.whenDrawn(`${CHAT} > :first-child`, ({ parentElement }) => stampChat(parentElement));
  K.whenDrawn("[cmdk-item] [data-k-time]", (title) => found.add(title));
  K.eachFrame(mark);
  document.addEventListener("input", ({ target }) => target.matches?.("[cmdk-input]") && mark());
  setInterval(() => {
    if (document.hidden) return;
    for (const step of document.querySelectorAll(MESSAGE)) stampMessage(step);
    for (const row of document.querySelectorAll(CHAT)) stampChat(row);
  }, 30_000);
})();
