/* Names for the controls that Chainlit (2.12.0) draws as bare icons: what a screen reader says, and what
   a voice commands. They are marked again when the page changes, a few times a second at most. */
(() => {
  "use strict";

  const BUTTONS = {
    "#sidebar-trigger-button": { ru: "Боковая панель", uk: "Бічна панель", en: "Sidebar" },
    '[data-sidebar="rail"]': { ru: "Боковая панель", uk: "Бічна панель", en: "Sidebar" },
    "#search-chats-button": { ru: "Поиск по чатам", uk: "Пошук у чатах", en: "Search chats" },
    "#new-chat-button": { ru: "Новый чат", uk: "Новий чат", en: "New chat" },
    "#thread-options": { ru: "Действия с чатом", uk: "Дії з чатом", en: "Chat actions" },
    "#user-nav-button": { ru: "Учётная запись", uk: "Обліковий запис", en: "Account" },
    "button:has(> .lucide-moon)": { ru: "Тема", uk: "Тема", en: "Theme" },
    "#upload-button": { ru: "Прикрепить файлы", uk: "Прикріпити файли", en: "Attach files" },
    "#chat-settings-open-modal": { ru: "Настройки чата", uk: "Налаштування чату", en: "Chat settings" },
    "#chat-submit": { ru: "Отправить", uk: "Надіслати", en: "Send" },
    "#stop-button": { ru: "Остановить", uk: "Зупинити", en: "Stop" },
    "#header button:has(> .lucide-share2)": { ru: "Поделиться", uk: "Поділитися", en: "Share" },
    ".favorite-popover-wrapper > button": { ru: "Избранные вопросы", uk: "Обрані запитання", en: "Favourite questions" },
    ".edit-message": { ru: "Изменить вопрос", uk: "Змінити запитання", en: "Edit the question" },
    ".favorite-message": { ru: "В избранное", uk: "В обране", en: "Add to favourites" },
    "button:has(> .lucide-copy)": { ru: "Скопировать", uk: "Скопіювати", en: "Copy" },
    "button:has(> .lucide-thumbs-up)": { ru: "Полезно", uk: "Корисно", en: "Helpful" },
    "button:has(> .lucide-thumbs-down)": { ru: "Не помогло", uk: "Не допомогло", en: "Not helpful" },
    "button:has(> .lucide-arrow-down)": { ru: "К последнему сообщению", uk: "До останнього повідомлення", en: "To the latest message" },
    /* The microphone: Chainlit's own drawing while it rests, a cross while it listens. */
    '#message-composer .gap-1 > button:has(> svg > path[d^="M9.5 4C8.67"])': { ru: "Начать запись", uk: "Почати запис", en: "Start recording" },
    "#message-composer .gap-1 > button:has(> .lucide-x)": { ru: "Остановить запись", uk: "Зупинити запис", en: "Stop recording" },
    "button:has(> .lucide-eye)": { ru: "Показать пароль", uk: "Показати пароль", en: "Show the password" },
    "button:has(> .lucide-eye-off)": { ru: "Скрыть пароль", uk: "Сховати пароль", en: "Hide the password" },
  };

  /* Words for screen readers that the page has in English alone, and the button that deletes. */
  const WORDS = {
    "Toggle theme": { ru: "Тема", uk: "Тема", en: "Theme" },
    Close: { ru: "Закрыть", uk: "Закрити", en: "Close" },
  };
  const DELETE = { ru: "Удалить", uk: "Видалити", en: "Delete" };

  const say = (element, words) => {
    const text = document.createTreeWalker(element, NodeFilter.SHOW_TEXT).nextNode();
    if (text && text.data !== words) text.data = words;
  };

  const put = (element, name, value) => {
    if (value && element.getAttribute(name) !== value) element.setAttribute(name, value);
  };

  /* The tab is called as the thread that it shows. */
  const titles = new Map();
  window.addEventListener("message", ({ data, source }) => {
    if (source === window && data?.konsilium_title) titles.set(...data.konsilium_title);
  });
  const entitle = () => {
    const open = titles.get(/\/thread\/([0-9a-f-]{36})/.exec(window.location.pathname)?.[1]);
    const title = open ? `${open} · Konsilium` : "Konsilium";
    if (document.title !== title) document.title = title;
  };

  /* What few change stands behind "more". */
  const RARE = ["top_p", "seed"];
  const MORE = { ru: "Ещё: top_p, зерно", uk: "Ще: top_p, зерно", en: "More: top_p, seed" };
  const fold = (words) => {
    const panel = document.querySelector("#chat-settings");
    const last = panel?.querySelector("#max_tokens")?.closest(".space-y-2");
    if (!last || last.querySelector(".k-more")) return;
    const more = Object.assign(document.createElement("button"), { type: "button", className: "k-button k-more", textContent: words });
    more.setAttribute("aria-expanded", "false");
    more.addEventListener("click", () => more.setAttribute("aria-expanded", String(panel.toggleAttribute("data-k-more"))));
    last.append(more);
    for (const id of RARE) panel.querySelector(`#${id}`)?.closest(".space-y-2")?.classList.add("k-rare");
  };

  const mark = () => {
    const lang = document.documentElement.lang.slice(0, 2);
    for (const [selector, texts] of Object.entries(BUTTONS)) {
      for (const button of document.querySelectorAll(selector)) {
        if (!button.matches(".k-button")) put(button, "aria-label", window.Konsilium.words(lang, texts));
      }
    }
    const words = (texts) => window.Konsilium.words(lang, texts);
    for (const hidden of document.querySelectorAll("span.sr-only")) {
      if (Object.hasOwn(WORDS, hidden.textContent)) say(hidden, words(WORDS[hidden.textContent]));
    }
    for (const sure of document.querySelectorAll('[role="alertdialog"][data-state] button:last-child')) say(sure, words(DELETE));
    entitle();
    fold(words(MORE));
    document.querySelector('[data-sidebar="rail"]')?.removeAttribute("title"); // in English
    for (const menu of document.querySelectorAll("div#thread-options")) put(menu, "role", "button");
    document.querySelector('#upload-button[role="presentation"]')?.removeAttribute("role");
    /* A link within a button, a button within a link: one stop for the keyboard, not two. */
    for (const outer of document.querySelectorAll("#header button:has(> a)")) put(outer, "tabindex", "-1");
    for (const inner of document.querySelectorAll("#thread-history a > button")) put(inner, "tabindex", "-1");
    for (const slider of document.querySelectorAll('#chat-settings [role="slider"]')) {
      put(slider, "aria-label", slider.closest(".flex-col")?.parentElement.querySelector("label")?.textContent);
    }
  };

  let waiting = false;
  new MutationObserver(() => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      mark();
    }, 250);
  }).observe(document.documentElement, {
    childList: true, subtree: true, attributes: true, attributeFilter: ["lang"],
  });
})();
