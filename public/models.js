/* The list of models, wherever one is chosen (the composer, the panel, forms: `select.k-models-choice`): found by typing, one group a server, what one likes and
   used last on top. Chainlit's own holds a few lines and cannot be searched. A star is set by its click or
   by Alt+S; everything else as in any list: arrows, Home, End, Enter, Escape. */
(() => {
  "use strict";

  const TEXTS = {
    ru: {
      models: "Модели", find: "Найти модель", none: "Ничего не нашлось", empty: "Моделей пока нет", favourites: "Избранные", recent: "Недавние",
      vision: "видит картинки", tools: "вызывает инструменты", thinking: "рассуждает", window: "контекст", million: "за миллион токенов: вход / выход",
      found: (count) => `Найдено: ${count}`, star: "Alt+S — в избранное", servers: "Серверы и ключи", away: "её сервер сейчас не отвечает",
    },
    uk: {
      models: "Моделі", find: "Знайти модель", none: "Нічого не знайшлося", empty: "Моделей поки немає", favourites: "Обрані", recent: "Нещодавні",
      vision: "бачить зображення", tools: "викликає інструменти", thinking: "міркує", window: "контекст", million: "за мільйон токенів: вхід / вихід",
      found: (count) => `Знайдено: ${count}`, star: "Alt+S — до обраних", servers: "Сервери й ключі", away: "її сервер зараз не відповідає",
    },
    en: {
      models: "Models", find: "Find a model", none: "Nothing found", empty: "No models yet", favourites: "Favourites", recent: "Recent",
      vision: "sees pictures", tools: "calls tools", thinking: "thinks", window: "context", million: "for a million tokens: in / out",
      found: (count) => `Found: ${count}`, star: "Alt+S stars it", servers: "Servers and keys", away: "its server does not answer now",
    },
  };
  const K = window.Konsilium;
  const { make, icon } = K;
  const lang = () => document.documentElement.lang.slice(0, 2);
  const text = () => K.words(lang(), TEXTS);
  const TRIGGER = "#mode-picker-trigger-model";
  const FEW = 8; // with fewer, a group of the recent ones says nothing new

  const input = make("input", {
    class: "k-field", type: "text", role: "combobox", autocomplete: "off", spellcheck: "false", enterkeyhint: "done",
    "aria-autocomplete": "list", "aria-expanded": "true", "aria-controls": "k-models-list",
  });
  const list = make("div", { id: "k-models-list", role: "listbox", class: "k-models-list", tabindex: "-1" });
  const hint = make("span", { class: "k-models-hint" });
  const servers = make("a", { href: "#servers" });
  const said = make("span", { class: "k-unseen", role: "status" });
  const popup = make("div", { id: "mode-picker-popover-model", class: "k-models-popup", popover: "auto", role: "dialog" }, input, list, make("div", { class: "k-models-foot" }, hint, servers), said);

  /* Where the list is open, what is chosen there, and what is done with a choice. */
  const COMPOSER = {
    anchor: () => document.querySelector(TRIGGER),
    chosen: () => facts.chosen,
    choose: (model) => {
      if (model.id !== facts.chosen) K.tell({ event: "picked", picker: "model", name: model.name });
      facts.chosen = model.id;
    },
  };
  const field = (select) => ({
    anchor: () => select,
    chosen: () => select.value,
    items: [...select.options].map(({ value, textContent }) => ({ value, label: textContent })),
    choose: ({ id }) => {
      Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, "value").set.call(select, id);
      select.dispatchEvent(new Event("change", { bubbles: true })); // React hears of it so
    },
  });
  const ofPanel = ({ id: field, konsilium: { items } }) => {
    const button = () => document.querySelector(`#chat-settings button#${field}`);
    return { anchor: button, items, chosen: () => button()?.konsilium.value, choose: ({ id }) => button()?.konsilium.set(id) };
  };
  const isModel = ({ value }) => /^[^/]+\/./.test(value);
  let target = COMPOSER;

  let facts = { models: [], chosen: "", favourites: [], recent: [] };
  let active = null;

  const figures = (model) => {
    const price = model.price && `${model.price[0]} / ${K.money(lang(), model.price[1], model.price[2])}`;
    const parts = [
      model.away && text().away,
      model.size && K.bytes(lang(), model.size),
      model.window && make("span", { title: text().window }, K.windowSize(model.window)),
      price && make("span", { title: [text().million, model.priced].filter(Boolean).join(", ") }, price),
      model.oldPrice && model.priced,
      model.load,
      model.note,
    ].filter(Boolean);
    return make("span", { class: "k-models-figures" }, ...parts.flatMap((part, place) => (place ? [" · ", part] : [part])));
  };

  const option = (model, group) => {
    const chosen = model.id === target.chosen();
    const starred = facts.favourites.includes(model.id);
    const star = icon("star");
    star.classList.add("k-models-star");
    star.classList.toggle("k-on", starred);
    const row = make(
      "div",
      { id: `k-model-${group}-${model.id}`, role: "option", "aria-selected": String(chosen), "aria-keyshortcuts": "Alt+S" },
      chosen ? icon("check") : make("span", { class: "k-icon" }),
      make("span", { class: "k-models-text" }, make("span", { class: "font-medium" }, model.name), figures(model)),
      make("span", { class: "k-models-can" }, ...model.can.map((what) => icon(what, text()[what]))),
      model.unset ? null : star,
    );
    row.model = model;
    return row;
  };

  const groups = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const known = new Map(facts.models.map((model) => [model.id, model]));
    /* Elsewhere than in the composer a model may be left unset, and the list may hold others. */
    const bare = ({ value, label }) => ({ id: value, name: label, server: "", can: [], unset: !isModel({ value }) });
    const offered = target.items ? target.items.filter(isModel).map((item) => known.get(item.value) ?? bare(item)) : facts.models;
    const having = (text) => offered.filter((model) => words.every((word) => text(model).toLowerCase().includes(word)));
    const byName = having(({ name }) => name);
    const named = (ids) => ids.map((id) => offered.find((model) => model.id === id)).filter(Boolean);
    const made = [];
    if (!words.length) {
      const recent = offered.length < FEW ? [] : facts.recent.filter((id) => !facts.favourites.includes(id));
      made.push(["", (target.items ?? []).filter((item) => !isModel(item)).map(bare)]);
      made.push([text().favourites, named(facts.favourites)], [text().recent, named(recent)]);
    }
    const byServer = new Map();
    for (const model of byName.length ? byName : having(({ name, server }) => `${name} ${server}`)) byServer.set(model.server, [...(byServer.get(model.server) ?? []), model]);
    return [...made, ...byServer].filter(([, models]) => models.length);
  };

  const activate = (row, seen = true) => {
    active?.removeAttribute("data-active");
    active = row ?? null;
    active?.setAttribute("data-active", "");
    input.setAttribute("aria-activedescendant", active?.id ?? "");
    if (seen) active?.scrollIntoView({ block: "nearest" });
  };

  const rows = () => [...list.querySelectorAll('[role="option"]')];

  const draw = () => {
    const before = active?.id;
    const top = list.scrollTop;
    const made = groups();
    list.replaceChildren(
      ...made.map(([name, models], place) =>
        make(
          "div",
          { role: "group", "aria-label": name || text().models },
          name && make("div", { class: "k-models-group", "aria-hidden": "true" }, name),
          ...models.map((model) => option(model, place)),
        ),
      ),
    );
    if (!made.length) list.append(make("p", { class: "k-models-none", role: "group" }, facts.models.length || target.items ? text().none : text().empty));
    said.textContent = input.value ? text().found(rows().length) : "";
    list.scrollTop = top;
    const same = rows().find((row) => row.id === before);
    activate(same ?? (input.value ? null : rows().find((row) => row.model.id === target.chosen())) ?? rows()[0], !same);
  };

  const place = () => {
    const trigger = target.anchor()?.getBoundingClientRect();
    if (!trigger || window.innerWidth < 640) {
      popup.removeAttribute("style");
      return;
    }
    const width = Math.min(448, window.innerWidth - 16);
    popup.style.width = `${width}px`;
    popup.style.left = `${Math.max(8, Math.min(trigger.left, window.innerWidth - width - 8))}px`;
    const above = trigger.top > window.innerHeight / 2;
    popup.style.top = above ? "auto" : `${trigger.bottom + 4}px`;
    popup.style.bottom = above ? `${window.innerHeight - trigger.top + 4}px` : "auto";
    popup.style.maxHeight = `${Math.min(520, (above ? trigger.top : window.innerHeight - trigger.bottom) - 12)}px`;
  };

  const open = (where = COMPOSER) => {
    if (popup.matches(":popover-open")) return;
    target = where;
    const home = target.anchor()?.closest('[role="dialog"]') ?? document.body; // a dialog keeps the focus within
    if (popup.parentElement !== home) home.append(popup);
    popup.removeAttribute("aria-hidden"); // of a dialog that opened while it was outside
    input.value = "";
    input.placeholder = text().find;
    input.setAttribute("aria-label", text().find);
    list.setAttribute("aria-label", text().models);
    popup.setAttribute("aria-label", text().models);
    hint.textContent = text().star;
    servers.textContent = text().servers;
    active = null;
    place();
    popup.showPopover();
    draw();
    active?.scrollIntoView({ block: "center" });
    /* On a phone the keyboard would cover the list before anything was asked for. */
    (window.matchMedia("(pointer: fine)").matches ? input : list).focus();
    K.tell({ event: target === COMPOSER ? "models" : "models_elsewhere" });
  };
  const close = () => popup.matches(":popover-open") && popup.hidePopover();

  const choose = (model) => {
    close();
    target.anchor()?.focus();
    target.choose(model);
  };
  const favour = (model) => K.tell({ event: "favoured", model: model.id, on: !facts.favourites.includes(model.id) });

  popup.addEventListener("toggle", ({ newState }) => target.anchor()?.setAttribute("aria-expanded", String(newState === "open")));
  input.addEventListener("input", () => {
    active = null;
    list.scrollTop = 0;
    draw();
  });
  popup.addEventListener("keydown", (event) => {
    const every = rows();
    const at = every.indexOf(active);
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: Math.min(at + 8, every.length - 1), PageUp: Math.max(at - 8, 0) };
    if (!input.value || event.target !== input) Object.assign(moves, { Home: 0, End: every.length - 1 });
    if (event.altKey && event.code === "KeyS" && active && !active.model.unset) favour(active.model);
    else if (event.key in moves && every.length) activate(every.at(moves[event.key] % every.length));
    else if (event.key === "Enter" && event.target !== servers && active && !event.isComposing) choose(active.model);
    else if (event.target === list && event.key.length === 1 && !event.ctrlKey && !event.metaKey) return input.focus(); // typing searches
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) => {
    const row = event.target.closest('[role="option"]');
    if (!row) return;
    event.stopPropagation();
    if (event.target.closest(".k-models-star")) favour(row.model);
    else choose(row.model);
  });
  list.addEventListener("mousemove", (event) => {
    const row = event.target.closest('[role="option"]');
    if (row && row !== active) activate(row, false);
  });
  servers.addEventListener("click", close);
  window.addEventListener("resize", () => popup.matches(":popover-open") && place());

  window.addEventListener("message", ({ data, source }) => {
    if (source !== window || !data?.konsilium_models) return;
    facts = data.konsilium_models;
    if (popup.matches(":popover-open")) draw();
  });

  /* The list of a form and that of the panel, by what would open them; and Esc closes the list, not the dialog. */
  const KEYS = ["Enter", " ", "ArrowDown", "ArrowUp"];
  const elsewhere = ({ target: place }) => {
    const select = place.closest?.("select.k-models-choice");
    if (select) return field(select);
    const button = place.closest?.('#chat-settings button[role="combobox"]');
    return button?.konsilium?.items.some(isModel) && !button.disabled ? ofPanel(button) : null;
  };
  const instead = (event) => {
    if (event.type === "keydown" && event.key === "Escape" && popup.matches(":popover-open") && target !== COMPOSER) {
      event.preventDefault();
      event.stopImmediatePropagation();
      close();
      target.anchor()?.focus();
      return;
    }
    if (event.type === "keydown" ? !KEYS.includes(event.key) : event.button) return;
    const where = elsewhere(event);
    if (!where) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.type === "keydown" || event.type === "click") open(where);
  };
  for (const type of ["pointerdown", "mousedown", "click", "keydown"]) window.addEventListener(type, instead, true);

  /* The trigger is Chainlit's: what would open its own list opens this one. */
  const taken = (event) => {
    if (event.target.closest?.(TRIGGER) && (event.type !== "keydown" || ["Enter", " ", "ArrowDown", "ArrowUp"].includes(event.key))) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return true;
    }
    return false;
  };
  let wasOpen = false; // a press outside closes the list before its click comes
  document.addEventListener("pointerdown", (event) => {
    wasOpen = popup.matches(":popover-open");
    if (event.target.closest?.(TRIGGER)) event.stopImmediatePropagation();
  }, true);
  document.addEventListener("click", (event) => {
    if (taken(event)) wasOpen && event.detail ? close() : open();
  }, true);
  document.addEventListener("keydown", (event) => taken(event) && open(), true);
})();
