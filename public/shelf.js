/* Where conversations go ("Archive" in the menu of a thread, conversations that leave nothing), and what they
   begin with: assistants, and prompts that are filled in beside the composer. */
(() => {
  "use strict";

  const TEXTS = {
    ru: {
      move: "В проект…", archive: "В архив", archived: "Разговор в архиве", undo: "Вернуть", temporary: "Временный разговор",
      here: "Временный разговор: не хранится и исчезнет, когда вы уйдёте.", keep: "Сохранить",
      shelves: "Библиотека", assistants: "Помощники", prompts: "Промпты", fill: "Вставить", drop: "Не надо",
    },
    uk: {
      move: "До проєкту…", archive: "До архіву", archived: "Розмова в архіві", undo: "Повернути", temporary: "Тимчасова розмова",
      here: "Тимчасова розмова: не зберігається і зникне, коли ви підете.", keep: "Зберегти",
      shelves: "Бібліотека", assistants: "Помічники", prompts: "Промпти", fill: "Вставити", drop: "Не треба",
    },
    en: {
      move: "Move to project…", archive: "Archive", archived: "The conversation is in the archive", undo: "Undo", temporary: "Temporary conversation",
      here: "Temporary conversation: it is not kept, and is gone when you leave.", keep: "Keep it",
      shelves: "Library", assistants: "Assistants", prompts: "Prompts", fill: "Insert", drop: "Never mind",
    },
  };
  const K = window.Konsilium;
  const { make } = K;
  const text = () => K.words(document.documentElement.lang.slice(0, 2), TEXTS);
  const here = (path) => new URL(`${K.root}${path}`, window.location.origin);
  const { openThread } = K;
  const set = (element, words) => {
    if (element.textContent !== words) element.textContent = words;
  };

  /* -- the archive and the projects: entries of Chainlit's menu of a thread, above "Delete" --------- */

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
  /* A press beside it closes a menu; Escape would go to a hint that stands over it. */
  const close = (menu, tries = 100) => {
    if (!tries || !menu.isConnected || menu.dataset.state !== "open") return;
    document.body.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true, pointerType: "mouse" }));
    setTimeout(close, 100, menu, tries - 1); // a busy page may not listen yet
  };
  /* A hint of something behind that comes over an open menu or dialog (it was pointed at a moment before) is sent
     away, since it would take the Escape. What is open may not know for a moment that nothing is above it any more:
     an Escape that a hint or nobody took is pressed anew. */
  const covering = () => [...document.querySelectorAll(':is([role="dialog"], [role="alertdialog"], [role="menu"])[data-state="open"]')].at(-1);
  const behind = (hint) => !document.querySelector(`[role="dialog"] [aria-describedby="${hint.id}"]`);
  const hint = () => covering() && [...document.querySelectorAll('[role="tooltip"]')].find(behind);
  const hush = (then, tries = 100) => {
    if (!tries || !hint()) return then?.();
    document.dispatchEvent(new Event("tooltip.open")); // another one opens: each closes for that
    setTimeout(hush, 20, then, tries - 1);
  };
  K.whenDrawn('[role="tooltip"]', () => hush());
  const pressEscape = (open, tries = 40) => {
    if (!tries || !open.isConnected || open.dataset.state !== "open") return;
    const key = new KeyboardEvent("keydown", { key: "Escape", bubbles: true, cancelable: true });
    if (document.activeElement.dispatchEvent(key)) setTimeout(pressEscape, 50, open, tries - 1); // who takes it cancels it
  };
  const isPressed = (event) => event.key === "Escape" && event.isTrusted && !event.isComposing;
  window.addEventListener("keydown", (event) => {
    if (!isPressed(event) || !hint()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const open = covering();
    hush(() => pressEscape(open));
  }, true);
  window.addEventListener("keydown", (event) => {
    const open = isPressed(event) && !event.defaultPrevented && covering();
    if (open) setTimeout(pressEscape, 50, open);
  });
  const move = (thread) => window.postMessage({ konsilium_move: thread }, window.location.origin);
  const offerEntry = (menu, last, id, label, icon, act) => {
    const entry = make("div", { id, role: "menuitem", tabindex: "-1", class: last.className.replace(/text-red-500|focus:text-red-500/g, "") }, label, K.icon(icon));
    const chosen = (event) => {
      event.preventDefault();
      event.stopPropagation();
      const thread = threadOf(openMenu());
      close(menu);
      if (thread) act(thread);
    };
    entry.addEventListener("click", chosen);
    entry.addEventListener("keydown", (event) => ["Enter", " "].includes(event.key) && chosen(event));
    entry.addEventListener("pointermove", () => entry.focus());
    last.before(entry);
  };
  /* The arrows of Chainlit's menu know its own entries alone. */
  const walk = (event) => {
    const entries = [...event.currentTarget.querySelectorAll('[role="menuitem"]')];
    const at = entries.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: entries.length - 1 }[event.key];
    if (to === undefined || at === -1) return;
    event.preventDefault();
    event.stopPropagation();
    entries[to]?.focus();
  };
  K.whenDrawn('[role="menu"] #delete-thread', (last) => {
    const menu = last.closest('[role="menu"]');
    if (menu.querySelector("#k-archive-thread")) return;
    menu.addEventListener("keydown", walk, true);
    offerEntry(menu, last, "k-move-thread", text().move, "folder", move);
    offerEntry(menu, last, "k-archive-thread", text().archive, "archive", archive);
  });

  /* -- temporary conversations: a button of a new chat, and a line above the composer --------------- */

  const button = make("button", { id: "k-temporary", class: "k-icon-button" }, K.icon("temporary"));
  const form = make("form", { method: "post", action: here("temporary").href }, button);
  const keep = make("button", { type: "button", class: "k-button" });
  keep.addEventListener("click", () => K.tell({ event: "keep" }));
  const words = make("span", {});
  const line = make("div", { id: "k-temporary-line", role: "note" }, words, keep);
  const named = make("div", { id: "k-preset-line", role: "note" });
  let temporary = null;
  let begun = null;
  let preset = "";
  window.addEventListener("message", ({ data, source }) => {
    if (source !== window || data?.konsilium_temporary === undefined) return;
    temporary = data.konsilium_temporary;
    [begun, preset] = data.konsilium_preset ?? [null, ""];
    look();
  });
  const offerTemporary = () => {
    const header = document.querySelector("#header > div:last-child");
    const isNew = window.location.pathname === K.root;
    if (!isNew) form.remove();
    else if (header && form.parentElement !== header) header.prepend(form);
    K.label(button, text().temporary);
    const shown = temporary !== null && temporary === openThread();
    document.documentElement.toggleAttribute("data-k-temporary", shown);
    const composer = document.querySelector("#message-composer");
    if (!shown) line.remove();
    else if (composer && line.nextElementSibling !== composer) composer.before(line);
    set(words, text().here);
    set(keep, text().keep);
  };

  /* -- the shelves, above the list of threads; and who answers in this one -------------------------- */

  const shelves = Object.fromEntries(
    ["assistants", "prompts"].map((kind) => [kind, make("a", { id: `k-${kind}`, href: here(`library/${kind}`).href })]),
  );
  const nav = make("nav", { class: "k-pages k-shelves" }, ...Object.values(shelves));
  const offerShelves = () => {
    for (const [kind, link] of Object.entries(shelves)) set(link, text()[kind]);
    if (nav.ariaLabel !== text().shelves) nav.ariaLabel = text().shelves;
    const list = document.querySelector('[data-sidebar="content"]');
    if (list && !nav.isConnected) (document.querySelector("#k-projects") ?? list).before(nav);
    const composer = document.querySelector("#message-composer");
    if (!preset || begun !== openThread()) named.remove();
    else if (composer && !named.isConnected) composer.before(named);
    set(named, preset);
  };

  /* -- prompts: chosen among the composer's commands, and put into its field, filled in --------------- */

  const COMMAND = ".command-item, #command-popover [data-index]"; // by "/", by the button
  let prompts = {};
  window.addEventListener("message", ({ data, source }) => {
    if (source === window && data?.konsilium_prompts) prompts = data.konsilium_prompts;
  });
  const field = () => document.querySelector("#chat-input");
  const write = (said) => {
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(field(), said);
    field().dispatchEvent(new Event("input", { bubbles: true }));
    field().focus();
  };
  const add = (said) => write([field().value, said].filter(Boolean).join("\n\n")); // what was typed stays
  const blanks = make("form", { id: "k-prompt", class: "k-panel" });
  const ask = ({ text: body, places }) => {
    if (places.length === 0) return add(body);
    const inputs = places.map((place) => make("textarea", { class: "k-field", rows: "1", required: "", name: place }));
    const rows = inputs.map((input) => make("label", { class: "k-label" }, input.name, input));
    const insert = make("button", { type: "submit", class: "k-button k-primary" }, text().fill);
    const drop = make("button", { type: "button", class: "k-button k-plain" }, text().drop);
    drop.addEventListener("click", () => {
      blanks.remove();
      field()?.focus();
    });
    blanks.onsubmit = (event) => {
      event.preventDefault();
      const given = Object.fromEntries(inputs.map((input) => [input.name, input.value]));
      blanks.remove();
      add(body.replace(/\{\{\s*([^{}\n]{1,60}?)\s*\}\}/g, (whole, place) => given[place] ?? whole));
    };
    blanks.onkeydown = (event) => {
      if (event.key === "Escape") drop.click();
      if (event.key === "Enter" && !event.shiftKey && event.target.tagName === "TEXTAREA") {
        event.preventDefault();
        const next = inputs[inputs.indexOf(event.target) + 1];
        if (next) next.focus();
        else blanks.requestSubmit();
      }
    };
    blanks.replaceChildren(...rows, make("div", { class: "k-actions" }, insert, drop));
    document.querySelector("#message-composer")?.before(blanks);
    inputs[0].focus();
    return undefined;
  };
  const take = async (event, item) => {
    const id = prompts[item?.querySelector(".font-medium")?.textContent];
    if (!id) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    document.querySelector('#command-button[aria-expanded="true"]')?.click(); // the list that it opened
    if (field().value.startsWith("/")) write(""); // else it was chosen by the button
    const answer = await fetch(here(`library/prompts/${id}/text`));
    if (answer.ok) ask(await answer.json());
  };
  document.addEventListener("click", (event) => take(event, event.target.closest?.(COMMAND)), true);
  document.addEventListener(
    "keydown",
    (event) => {
      if (!["Enter", "Tab"].includes(event.key)) return;
      const items = [...document.querySelectorAll(COMMAND)];
      take(event, items.find((one) => one.classList.contains("bg-accent")));
    },
    true,
  );

  function look() {
    offerTemporary();
    offerShelves();
  }
  K.eachFrame(look);
})();
