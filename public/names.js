/* Names for the controls that Chainlit (2.12.0) draws as bare icons: what a screen reader says, and what
   a voice commands. */
(() => {
  "use strict";

  const BUTTONS = {
    "#sidebar-trigger-button": { ru: "Боковая панель", uk: "Бічна панель", en: "Sidebar" },
    '[data-sidebar="rail"]': { ru: "Боковая панель", uk: "Бічна панель", en: "Sidebar" },
    "#search-chats-button": { ru: "Поиск по разговорам", uk: "Пошук у розмовах", en: "Search conversations" },
    "#new-chat-button": { ru: "Новый разговор", uk: "Нова розмова", en: "New conversation" },
    "#thread-options": { ru: "Действия с разговором", uk: "Дії з розмовою", en: "Actions on the conversation" },
    "#user-nav-button": { ru: "Учётная запись", uk: "Обліковий запис", en: "Account" },
    "button:has(> .lucide-moon)": { ru: "Тема", uk: "Тема", en: "Theme" },
    "#upload-button": { ru: "Прикрепить файлы", uk: "Прикріпити файли", en: "Attach files" },
    "#chat-settings-open-modal": { ru: "Настройки разговора", uk: "Налаштування розмови", en: "Conversation settings" },
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
    "button.-ml-2:has(> .lucide-arrow-left)": { ru: "Закрыть панель", uk: "Закрити панель", en: "Close the panel" },
    "button:has(> .lucide-eye)": { ru: "Показать пароль", uk: "Показати пароль", en: "Show the password" },
    "button:has(> .lucide-eye-off)": { ru: "Скрыть пароль", uk: "Сховати пароль", en: "Hide the password" },
  };

  /* Words for screen readers that the page has in English alone, and the button that deletes. */
  const WORDS = {
    "Toggle theme": { ru: "Тема", uk: "Тема", en: "Theme" },
    Close: { ru: "Закрыть", uk: "Закрити", en: "Close" },
  };
  const TABLE = { ru: "Таблица", uk: "Таблиця", en: "Table" };
  const CHOICES = { ru: "Варианты", uk: "Варіанти", en: "Choices" };
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

  const K = window.Konsilium;
  K.eachFrame(entitle);
  const words = (texts) => K.words(document.documentElement.lang.slice(0, 2), texts);

  const NAMED = "button, #thread-options, [data-sidebar]";
  const name = (control) => {
    const texts = Object.entries(BUTTONS).find(([selector]) => control.matches(selector))?.[1];
    if (texts && !control.matches(".k-button")) put(control, "aria-label", words(texts));
  };
  K.whenDrawn(NAMED, name);
  K.whenDrawn("button > svg", (icon) => name(icon.parentElement)); // one icon gives way to another

  /* The page may have been drawn before its language was known. */
  const said = (text, [english, texts]) => text === english || Object.values(texts).includes(text);
  K.whenDrawn("span.sr-only", (hidden) => {
    const known = Object.entries(WORDS).find((one) => said(hidden.textContent, one));
    if (known) say(hidden, words(known[1]));
  });
  K.whenDrawn('[role="alertdialog"][data-state] button:last-child', (sure) => say(sure, words(DELETE)));
  K.whenDrawn('[data-sidebar="rail"]', (rail) => rail.removeAttribute("title")); // in English
  K.whenDrawn("div#thread-options", (menu) => put(menu, "role", "button"));
  K.whenDrawn('#upload-button[role="presentation"]', (upload) => upload.removeAttribute("role"));
  /* A link within a button, a button within a link: one stop for the keyboard, not two. */
  K.whenDrawn("#header button > a", (inner) => {
    put(inner.parentElement, "tabindex", "-1");
    put(inner.parentElement, "role", "group");
    put(inner.parentElement, "aria-label", inner.textContent.trim() || inner.querySelector("img")?.alt);
  });
  K.whenDrawn("#thread-history a > button", (inner) => put(inner, "tabindex", "-1"));
  K.whenDrawn('#chat-settings [role="slider"]', (slider) => {
    put(slider, "aria-label", slider.closest(".flex-col")?.parentElement.querySelector("label")?.textContent);
  });

  K.whenDrawn("#edit-chat-input", (field) => put(field, "aria-label", words(BUTTONS[".edit-message"])));
  K.whenDrawn(".message-content code.hljs", (code) => put(code, "tabindex", "0")); // long lines are scrolled
  /* So are tables, where they are wider than their place. */
  const reach = (place) => {
    const wide = place.scrollWidth > place.clientWidth;
    const named = { tabindex: "0", role: "region", "aria-label": words(TABLE) };
    for (const [name, value] of Object.entries(named)) wide ? put(place, name, value) : place.removeAttribute(name);
  };
  const widths = new ResizeObserver((changed) => {
    const places = changed.map(({ target }) => (target.matches("table") ? target.parentElement : target));
    for (const place of new Set(places)) if (place?.isConnected) reach(place);
  });
  K.whenDrawn(".message-content table", (table) => {
    widths.unobserve(table); // in another language it is looked at once more
    widths.observe(table);
    widths.observe(table.parentElement);
  });

  /* A new name is given by Enter, too. */
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || !event.target.matches?.('[role="dialog"] input#name')) return;
    event.preventDefault();
    [...event.target.closest('[role="dialog"]').querySelectorAll("button:not(.absolute)")].at(-1)?.click();
  });

  /* A dialog or a menu that closes gives the focus back to what opened it, also where that was drawn anew meanwhile. */
  const OVER = 'dialog, [role$="dialog"], [role="menu"]';
  const OPEN = 'dialog[open], :is([role$="dialog"], [role="menu"])[data-state="open"]';
  let opener = null;
  let open = false;
  document.addEventListener("focusin", ({ target }) => {
    if (!target.closest(OVER)) opener = target;
  });
  const drawnAnew = ({ id, tagName, ariaLabel }) =>
    document.getElementById(id) ?? [...document.querySelectorAll(tagName)].find((one) => ariaLabel && one.ariaLabel === ariaLabel);
  const giveBack = (again) => {
    const leaving = document.activeElement.closest(OVER); // it fades, and has the focus still
    if (open || !opener || (document.activeElement !== document.body && !leaving)) return;
    const back = opener.isConnected ? opener : drawnAnew(opener);
    if (back && !back.disabled && !leaving) back.focus();
    if (again && (leaving || document.activeElement === document.body)) setTimeout(giveBack, 100, again - 1);
  };
  K.eachFrame(() => {
    const was = open;
    open = [...document.body.children].some((one) => one.matches(OPEN) || one.firstElementChild?.matches(OPEN));
    if (was && !open) setTimeout(giveBack, 100, 20);
  });

  /* A list to choose from can be scrolled by the keyboard, and a field speaks of it while it is there. */
  K.whenDrawn("[cmdk-list]", (list) => {
    put(list, "tabindex", "0");
    put(list, "aria-label", words(CHOICES));
  });
  K.eachFrame(() => {
    for (const field of document.getElementById("chat-settings")?.querySelectorAll("[cmdk-input]") ?? []) {
      put(field, "aria-expanded", String(document.getElementById(field.getAttribute("aria-controls")) !== null));
    }
  });
  K.whenDrawn("#thread-history", (threads) => put(threads.parentElement, "role", "presentation")); // no list's item
  K.whenDrawn("[data-panel-id]", (panel) => put(panel, "id", panel.dataset.panelId)); // the grip between them names it

  /* What few change stands behind "more". */
  const RARE = ["top_p", "seed"];
  const MORE = { ru: "Ещё: top_p, зерно", uk: "Ще: top_p, зерно", en: "More: top_p, seed" };
  K.whenDrawn("#chat-settings #max_tokens", (field) => {
    const [panel, last] = [field.closest("#chat-settings"), field.closest(".space-y-2")];
    if (last.querySelector(".k-more")) return;
    const more = K.make("button", { type: "button", class: "k-button k-more", "aria-expanded": "false" }, words(MORE));
    more.addEventListener("click", () => more.setAttribute("aria-expanded", String(panel.toggleAttribute("data-k-more"))));
    last.append(more);
    for (const id of RARE) panel.querySelector(`#${id}`)?.closest(".space-y-2")?.classList.add("k-rare");
  });
})();
