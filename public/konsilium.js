/* What the elements share: numbers and words in three languages. Loaded before the page's own code. */
(() => {
  "use strict";

  /* Follow the system's theme until the person chooses one. */
  try {
    if (!localStorage.getItem("vite-ui-theme")) localStorage.setItem("vite-ui-theme", "system");
  } catch {
    /* Storage is closed to us (private mode): the page keeps its default theme. */
  }

  /* Chainlit asks the system once, as the page opens; at dusk the page goes on following it. */
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", () => {
    if (!inChat || localStorage.getItem("vite-ui-theme") !== "system") return;
    const page = document.documentElement;
    const name = system.matches ? "dark" : "light";
    page.classList.remove("light", "dark");
    page.classList.add(name);
    for (const [variable, value] of Object.entries(window.theme?.[name] ?? {})) page.style.setProperty(variable, value);
  });

  /* Enter that takes a word from an input method (Japanese, Chinese, Korean) is no Enter of ours or Chainlit's:
     it would send half a sentence. Safari ends the composition first, and only the key's code tells. */
  window.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.isComposing || event.keyCode === 229)) event.stopImmediatePropagation();
  }, true);

  /* What the page does by itself and the server should know goes through the chat's own socket. */
  const tell = (message) => window.postMessage({ konsilium: message }, window.location.origin);

  /* The path that the app is served under: this file is in its public/. */
  const root = new URL("..", document.currentScript.src).pathname;

  /* Other pages of ours use the numbers alone. */
  const inChat = !document.documentElement.dataset.page;

  /* The page says which language it is in: for screen readers, and for the welcome line in the styles. */
  if (inChat) {
    fetch(`${root}project/language?language=${encodeURIComponent(navigator.language || "en-US")}`)
      .then((answer) => answer.json())
      .then(({ language: tag, alone }) => {
        document.documentElement.setAttribute("lang", tag);
        document.documentElement.toggleAttribute("data-alone", alone);
      })
      .catch(() => {});
  }

  /* While the app is away a page of its own says so; browsers allow that under HTTPS and on this machine. */
  if (inChat) navigator.serviceWorker?.register(`${root}offline.js`).catch(() => {});

  /* Chainlit asks now and then who one is, and takes a server that restarts for a sign-out: it would leave
     the page for one that nobody serves. Who one is, is asked until somebody answers. */
  const fetchOnce = window.fetch.bind(window);
  const fetchUntilAnswered = async (...request) => {
    for (;;) {
      try {
        return await fetchOnce(...request);
      } catch (error) {
        if (error.name === "AbortError") throw error;
        await new Promise((resume) => setTimeout(resume, 1000));
      }
    }
  };

  /* The page of an old thread connects twice, for a new chat and then for the thread, and keeps the socket
     that it made last. It makes each when this request is answered: so they are answered in the order in
     which they were asked, or the thread is never shown. */
  let answered = Promise.resolve();
  const fetchInTurn = (...request) => {
    const answer = answered.then(async () => {
      const response = await fetchOnce(...request);
      return new Response(await response.arrayBuffer(), response);
    });
    answered = answer.catch(() => {});
    return answer;
  };

  /* The tab that deletes a thread leaves it, and its socket with it: that this can be undone it says itself. */
  const fetchDeleting = async (...request) => {
    const response = await fetchOnce(...request);
    const { threadId } = JSON.parse(request[1].body);
    if (response.ok) window.postMessage({ konsilium_undo: { thread: threadId } }, window.location.origin);
    return response;
  };

  /* The list of threads is of the open project, or of none (projects.js); a search is of all, or of that one. */
  const fetchListed = (address, init) => {
    const search = "search" in (JSON.parse(init.body).filter ?? {});
    const headers = new Headers(init.headers);
    if (!search || document.querySelector("#k-only-project:checked")) {
      headers.set("x-konsilium-project", sessionStorage.getItem("konsilium-project") ?? "");
    }
    return fetchOnce(address, { ...init, headers });
  };

  const pathOf = (request) => new URL(request.url ?? request, window.location.href).pathname;
  const fetchForChat = (...request) => {
    const path = pathOf(request[0]);
    if (path.endsWith("/user")) return fetchUntilAnswered(...request);
    if (path.endsWith("/project/thread") && request[1]?.method === "DELETE") return fetchDeleting(...request);
    if (path.endsWith("/project/threads")) return fetchListed(...request);
    return path.endsWith("/set-session-cookie") ? fetchInTurn(...request) : fetchOnce(...request);
  };
  if (inChat) window.fetch = fetchForChat;

  /* The header's link to the model servers opens a panel of the chat, not a page. */
  document.addEventListener(
    "click",
    (event) => {
      const link = event.target.closest?.('a[href="#servers"]');
      if (!link) return;
      event.preventDefault();
      tell({ event: "servers" });
    },
    true,
  );

  const VOICES = 6; // as many colours are in konsilium.css
  const HEADING = ':is(button, p)[id^="step-"]';
  const LETTERED = /^step-([A-F])(?: · |$)/; // members of a council, columns of a comparison

  /* Chainlit draws avatars at the outermost steps alone; specialists and candidates stand inside. The
     name of a step is the id of its heading: "step-Физик"; its place among its like gives the colour of
     its face and of its line. Styles are in konsilium.css. */
  const put = (element, name, value) => {
    if (element.style.getPropertyValue(name) !== value) element.style.setProperty(name, value);
  };
  const colour = (number) => `var(--k-voice-${number % VOICES})`;
  const numberOf = (letter) => letter.charCodeAt() - 65;
  /** The colour of who is known by a letter, as a style. */
  const voice = (letter) => ({ "--k-voice": colour(numberOf(letter)) });
  const face = (heading) => {
    const step = heading.closest(".step");
    const inner = step.parentElement.closest(".step .step");  // thinking: in its speaker's colour
    const speaker = inner ?? step;
    const place = [...speaker.parentElement.children].filter((one) => one.matches(".step")).indexOf(speaker);
    const name = heading.id.slice("step-".length);
    const letter = LETTERED.exec(speaker.querySelector(HEADING).id)?.[1];
    const number = letter ? numberOf(letter) : place; // whoever begins first
    const first = speaker.parentElement.querySelector(`:scope > .step ${HEADING}`);
    const ours = !letter && LETTERED.test(first.id); // a council's ranking and report
    put(speaker, "--k-voice", ours ? "hsl(var(--primary))" : colour(number));
    put(heading, "--k-face", `url("${root}avatars/${encodeURIComponent(name)}?number=${number}")`);
  };

  /* A conversation that is being written changes its page 25 times a second, and may be long: the page is
     looked at once a frame, and of it only what is new since the last one. `whenDrawn(selector, act)` acts on
     each element that is drawn, given an id, a moment or words, and on all of them again in another language;
     `eachFrame(act)` acts once in a frame in which anything changed, and so does no search of the page. */
  const wanted = [];
  const frames = [];
  let drawn = new Set(); // with all that is within them
  let changed = new Set();
  let looking = false;
  const whenDrawn = (selector, act) => {
    wanted.push([selector, act]);
    for (const element of document.querySelectorAll(selector)) act(element);
  };
  const eachFrame = (act) => {
    frames.push(act);
    act();
  };
  const look = () => {
    const [whole, alone] = [drawn, changed];
    [drawn, changed, looking] = [new Set(), new Set(), false];
    for (const [selector, act] of wanted) {
      for (const element of alone) if (!whole.has(element) && element.isConnected && element.matches(selector)) act(element);
      for (const element of whole) {
        if (!element.isConnected) continue;
        if (element.matches(selector)) act(element);
        for (const one of element.querySelectorAll(selector)) act(one);
      }
    }
    for (const act of frames) act();
  };
  new MutationObserver((records) => {
    for (const { type, target, addedNodes } of records) {
      if (type === "attributes") (target === document.documentElement ? drawn : changed).add(target);
      for (const node of addedNodes) {
        if (node.nodeType === Node.ELEMENT_NODE) drawn.add(node);
        else changed.add(target);
      }
    }
    if (looking) return;
    looking = true;
    requestAnimationFrame(look);
  }).observe(document.documentElement, {
    childList: true, subtree: true, attributes: true, attributeFilter: ["lang", "id", "disabled", "data-k-time", "data-k-lines"],
  });
  whenDrawn(`.step .step ${HEADING}`, face);
  /* Looked for once: a style that asks what stands within (":has") is asked again with every word. */
  whenDrawn(".k-columns", (line) => line.closest(".border-primary")?.setAttribute("data-k-columns", ""));
  whenDrawn('img[alt*="?number="]', (image) => (image.alt = image.alt.split("?")[0]));

  /** The id of the thread that is open, by the page's address. */
  const openThread = () => /\/thread\/([0-9a-f-]{36})\/?$/.exec(window.location.pathname)?.[1];

  /** An element with its attributes and children; null stands for no attribute, false and null for no child. */
  const make = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(name, value);
    made.append(...children.filter(Boolean));
    return made;
  };

  const ICONS = {
    archive: '<rect width="20" height="5" x="2" y="3" rx="1"/><path d="M4 8v11a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2V8M10 12h4"/>',
    bin: '<path d="M3 6h18M8 6V4h8v2M19 6l-1 14H6L5 6M10 11v5M14 11v5"/>',
    check: '<path d="m5 12 5 5L19 7"/>',
    close: '<path d="M18 6 6 18M6 6l12 12"/>',
    copy: '<rect width="14" height="14" x="8" y="8" rx="2"/><path d="M4 16c-1.1 0-2-.9-2-2V4c0-1.1.9-2 2-2h10c1.1 0 2 .9 2 2"/>',
    dots: '<circle cx="5" cy="12" r="1"/><circle cx="12" cy="12" r="1"/><circle cx="19" cy="12" r="1"/>',
    download: '<path d="M12 15V3M21 15v4a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2v-4M7 10l5 5 5-5"/>',
    "folder-open": '<path d="m6 14 1.5-2.9A2 2 0 0 1 9.24 10H20a2 2 0 0 1 1.94 2.5l-1.54 6a2 2 0 0 1-1.95 1.5H4a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2h3.9a2 2 0 0 1 1.69.9l.81 1.2a2 2 0 0 0 1.67.9H18a2 2 0 0 1 2 2v2"/>',
    folder: '<path d="M20 20a2 2 0 0 0 2-2V8a2 2 0 0 0-2-2h-7.9a2 2 0 0 1-1.69-.9L9.6 3.9A2 2 0 0 0 7.93 3H4a2 2 0 0 0-2 2v13a2 2 0 0 0 2 2Z"/>',
    outside: '<path d="M21 15a2 2 0 0 1-2 2H7l-4 4V5a2 2 0 0 1 2-2h14a2 2 0 0 1 2 2z"/>',
    pencil: '<path d="M12 20h9"/><path d="M16.5 3.5a2.1 2.1 0 0 1 3 3L7 19l-4 1 1-4Z"/>',
    "pencil-square": '<path d="M12 3H5a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h14a2 2 0 0 0 2-2v-7"/><path d="M18.4 2.6a2.1 2.1 0 0 1 3 3L12 15l-4 1 1-4Z"/>',
    plus: '<path d="M5 12h14M12 5v14"/>',
    sliders: '<path d="M20 7h-9M14 17H5"/><circle cx="17" cy="17" r="3"/><circle cx="7" cy="7" r="3"/>',
    speaker: '<path d="M11 5 6 9H3v6h3l5 4Z"/><path d="M15.5 8.5a5 5 0 0 1 0 7M18.5 5.5a9 9 0 0 1 0 13"/>',
    table: '<rect x="3" y="4" width="18" height="16" rx="2"/><path d="M3 10h18M9 4v16"/>',
    wrap: '<path d="M3 6h18M3 12h14a3 3 0 0 1 0 6h-4M3 18h6"/><path d="m15 16-2 2 2 2"/>',
    star: '<path d="m12 3 2.8 5.7 6.2.9-4.5 4.4 1.1 6.2-5.6-2.9-5.6 2.9 1.1-6.2L3 9.6l6.2-.9Z"/>',
    stop: '<rect x="6" y="6" width="12" height="12" rx="1.5"/>',
    temporary: '<path stroke-dasharray="4 3" d="M7.9 20A9 9 0 1 0 4 16.1L2 22Z"/>',
    thinking: '<path d="M9 18h6M10 21h4M12 3a6 6 0 0 0-3.5 10.9c.6.5 1 1.2 1 2.1h5c0-.9.4-1.6 1-2.1A6 6 0 0 0 12 3Z"/>',
    tools: '<path d="M14.7 6.3a4 4 0 0 0-5.4 5L3 17.6 6.4 21l6.3-6.3a4 4 0 0 0 5-5.4l-2.6 2.6-2.9-.7-.7-2.9Z"/>',
    vision: '<path d="M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12Z"/><circle cx="12" cy="12" r="3"/>',
  };

  /** One of ICONS; with a label it says something, without one it is there for the eye alone. */
  const icon = (name, label) => {
    const said = label ? { role: "img", "aria-label": label, title: label } : { "aria-hidden": "true" };
    const place = make("span", { class: "k-icon", ...said });
    place.innerHTML = `<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${ICONS[name]}</svg>`;
    return place;
  };

  /** Says what a button with an icon alone does: where it is pointed at, and to screen readers. */
  const label = (button, words) => {
    if (button.title === words) return;
    button.title = words;
    button.setAttribute("aria-label", words);
  };

  /* Lists are made fresh when the panel or a picker is opened. */
  const OPENERS = '#chat-settings-open-modal, #mode-picker-trigger-mode';
  document.addEventListener("click", (event) => {
    if (event.target.closest?.(OPENERS)) tell({ event: "opened" });
  });

  /* A choice in the composer holds at once, also for an edit or a retry, not only for the next message. */
  const shown = () =>
    Object.fromEntries(
      [...document.querySelectorAll('[id^="mode-picker-trigger-"]')].map((trigger) => [
        trigger.id.replace("mode-picker-trigger-", ""),
        trigger.textContent.trim(),
      ]),
    );
  const MODES = "#mode-picker-popover-mode, #mode-picker-trigger-mode"; // models.js has the models
  const watchChoice = (event) => {
    const popover = event.target.closest?.(MODES);
    if (!popover || (event.type === "keydown" && event.key !== "Enter")) return;
    /* What was clicked is certain, also where a list made fresh just now still shows the old choice. */
    const clicked = event.type === "click" && event.target.closest('[role="option"]')?.querySelector(".font-medium");
    if (clicked) {
      const picker = popover.id.replace("mode-picker-popover-", "");
      return tell({ event: "picked", picker, name: clicked.textContent.trim() });
    }
    const before = shown();
    const told = () => {
      const changed = Object.entries(shown()).filter(([picker, name]) => name !== before[picker]);
      for (const [picker, name] of changed) tell({ event: "picked", picker, name });
      return changed.length > 0;
    };
    /* At once: a list made fresh may be on its way, with the choice before this one. */
    setTimeout(() => told() || setTimeout(told, 50));
  };
  document.addEventListener("click", watchChoice, true);
  document.addEventListener("keydown", watchChoice, true);

  const LOCALES = { ru: "ru-RU", uk: "uk-UA", en: "en-US" };
  const UNITS = {
    ru: { ms: "мс", s: "сек", min: "мин", h: "ч", speed: "ток/сек", bytes: ["Б", "КБ", "МБ", "ГБ", "ТБ"] },
    uk: { ms: "мс", s: "с", min: "хв", h: "год", speed: "ток/с", bytes: ["Б", "КБ", "МБ", "ГБ", "ТБ"] },
    en: { ms: "ms", s: "s", min: "min", h: "h", speed: "tok/s", bytes: ["B", "KB", "MB", "GB", "TB"] },
  };
  const DASH = "—";
  const known = (value) => value !== null && value !== undefined && value !== "";
  const language = (lang) => (lang in LOCALES ? lang : "en");

  /** "ru", "uk" or "en" from a map of texts; English where the language is none of ours. */
  const words = (lang, texts) => texts[language(lang)];

  /** One of Intl's formats: to make it takes longer than a hundred uses. */
  const formats = new Map();
  const format = (kind, tag, options) => {
    const key = JSON.stringify([kind, tag, options]);
    if (!formats.has(key)) formats.set(key, new Intl[kind](tag, options));
    return formats.get(key);
  };

  /** 5120 -> "5 120" or "5,120"; a dash where it is not known. */
  const number = (lang, value, digits = 0) => {
    const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    return known(value) ? format("NumberFormat", LOCALES[language(lang)], options).format(Number(value)) : DASH;
  };

  /** A decimal as the page's language writes it: 2.34 -> "2,3" or "2.3". */
  const decimal = (value, digits = 1) => number(document.documentElement.lang.slice(0, 2), value, digits);

  /** The form of a counted noun: [one, few, many] for ru and uk, [one, many] for en. */
  const plural = (lang, count, forms) => {
    const rule = format("PluralRules", LOCALES[language(lang)]).select(Math.abs(Number(count)));
    if (forms.length === 2) return rule === "one" ? forms[0] : forms[1];
    return { one: forms[0], few: forms[1] }[rule] ?? forms[2];
  };

  /** Seconds as people say them: "420 мс", "2.3 сек", "3 мин 05 сек". */
  const seconds = (lang, value) => {
    if (!known(value)) return DASH;
    const unit = UNITS[language(lang)];
    const total = Number(value);
    if (total < 0.1) return `${Math.round(total * 1000)} ${unit.ms}`;
    if (total < 100) return `${decimal(total)} ${unit.s}`;
    const minutes = Math.floor(total / 60);
    if (minutes < 60) return `${minutes} ${unit.min} ${String(Math.floor(total % 60)).padStart(2, "0")} ${unit.s}`;
    return `${Math.floor(minutes / 60)} ${unit.h} ${String(minutes % 60).padStart(2, "0")} ${unit.min}`;
  };

  /** Tokens in short: 812 -> "812", 3412 -> "3.4k", 128000 -> "128k", 1048576 -> "1M". */
  const short = (value) => {
    if (!known(value)) return DASH;
    const count = Number(value);
    if (count < 1000) return String(Math.round(count));
    const [scaled, suffix] = count < 999_500 ? [count / 1000, "k"] : [count / 1_000_000, "M"];
    return (scaled < 9.95 ? decimal(scaled).replace(/[.,]0$/, "") : String(Math.round(scaled))) + suffix;
  };

  /** The size of a context window, counted as it is sold: 8192 -> "8k", 131072 -> "128k", 128000 -> "128k". */
  const windowSize = (value) =>
    known(value) && Number(value) >= 1024 && Number(value) % 1024 === 0
      ? short((Number(value) / 1024) * (Number(value) >= 1_048_576 ? 1000 / 1.024 : 1000))
      : short(value);

  /** Tokens per second: 56.4 -> "56 ток/сек"; slow models keep a decimal. */
  const speed = (lang, value) =>
    known(value)
      ? `${Number(value) < 9.95 ? decimal(value) : number(lang, Math.round(Number(value)))} ${UNITS[language(lang)].speed}`
      : DASH;

  /** Bytes in decimal units, as model servers count them: 1600000000 -> "1,6 ГБ" or "1.6 GB". */
  const bytes = (lang, value) => {
    if (!known(value)) return DASH;
    const names = UNITS[language(lang)].bytes;
    let size = Number(value);
    let step = 0;
    while (size >= 999.5 && step < names.length - 1) {
      size /= 1000;
      step += 1;
    }
    return `${number(lang, size, step > 1 && size < 99.95 ? 1 : 0)}\u00a0${names[step]}`;
  };

  /** Money without losing small sums: "0" -> "0 ₽", "0.0042" -> "0.0042 ₽", "12.5" -> "12.50 ₽". */
  const money = (lang, amount, currency = "RUB") => {
    if (!known(amount)) return DASH;
    const value = Number(amount);
    const sign = { RUB: "₽", USD: "$" }[currency] ?? currency;
    let text = "0";
    if (value !== 0) {
      const digits = Math.abs(value) >= 1 ? 2 : Math.min(8, 1 - Math.floor(Math.log10(Math.abs(value))));
      text = decimal(value, digits);
    }
    return currency === "USD" ? `${sign}${text}` : `${text} ${sign}`;
  };

  /** 0.42 -> "42 %" or "42%"; a share above nothing is never shown as 0. */
  const percent = (share) => {
    if (!known(share)) return DASH;
    const sign = document.documentElement.lang.startsWith("en") ? "%" : "\u00a0%";
    const value = Number(share) * 100;
    return (value > 0 && value < 1 ? "<1" : `${Math.round(value)}`) + sign;
  };

  /* Why a server does not serve, by the code of the error; and what it does while it fetches a model. */
  const REASONS = {
    ru: {
      server_unavailable: "никто не отвечает",
      wrong_key: "ключ не принят",
      quota_exceeded: "закончились средства",
      rate_limited: "слишком много запросов",
      first_token_timeout: "не ответил вовремя",
      silence_timeout: "не ответил вовремя",
      malformed_answer: "отвечает, но это не API модели",
      server_fault: "ошибка на сервере",
      server_moved: "сервер переехал",
      unknown: "не отвечает",
    },
    uk: {
      server_unavailable: "ніхто не відповідає",
      wrong_key: "ключ не прийнято",
      quota_exceeded: "закінчилися кошти",
      rate_limited: "забагато запитів",
      first_token_timeout: "не відповів вчасно",
      silence_timeout: "не відповів вчасно",
      malformed_answer: "відповідає, але це не API моделі",
      server_fault: "помилка на сервері",
      server_moved: "сервер переїхав",
      unknown: "не відповідає",
    },
    en: {
      server_unavailable: "nobody answers",
      wrong_key: "the key was refused",
      quota_exceeded: "no credits left",
      rate_limited: "too many requests",
      first_token_timeout: "did not answer in time",
      silence_timeout: "did not answer in time",
      malformed_answer: "answers, but not as a model's API",
      server_fault: "the server failed",
      server_moved: "the server has moved",
      unknown: "does not answer",
    },
  };
  const STAGES = {
    ru: { manifest: "готовимся", pulling: "скачиваем", verifying: "проверяем", writing: "записываем", success: "готово" },
    uk: { manifest: "готуємося", pulling: "завантажуємо", verifying: "перевіряємо", writing: "записуємо", success: "готово" },
    en: { manifest: "preparing", pulling: "downloading", verifying: "verifying", writing: "writing", success: "done" },
  };

  const reason = (lang, code) => words(lang, REASONS)[code] ?? words(lang, REASONS).unknown;

  /** Ollama's line ("pulling manifest", "pulling a3de86cd1c13", "verifying sha256 digest") in a word. */
  const stage = (lang, line = "") => {
    const first = line === "pulling manifest" ? "manifest" : line.split(" ")[0];
    return words(lang, STAGES)[first] ?? line;
  };

  /** How far a download is: {share, label}; share is null where its size is not known. */
  const SPEED = { ru: "/с", uk: "/с", en: "/s" };
  const LEFT = { ru: (time) => `осталось ${time}`, uk: (time) => `залишилося ${time}`, en: (time) => `${time} left` };
  const wait = (lang, left) =>
    left < 100 ? `${Math.max(1, Math.round(left))} ${UNITS[language(lang)].s}` : seconds(lang, left);
  const pace = (lang, { speed: rate, left_s: left }) =>
    [known(rate) && bytes(lang, rate) + words(lang, SPEED), known(left) && words(lang, LEFT)(wait(lang, left))]
      .filter(Boolean)
      .join(" • ");
  const progress = (lang, facts) => {
    if (!facts.total) return { share: null, label: stage(lang, facts.status) };
    const share = facts.completed / facts.total;
    const size = `${bytes(lang, facts.completed)} / ${bytes(lang, facts.total)}, ${percent(share)}`;
    return { share, label: [size, pace(lang, facts)].filter(Boolean).join(" • ") };
  };

  /** Languages by their codes, in the reader's words: "русский, украинский". */
  const languages = (lang, codes) => {
    const names = new Intl.DisplayNames([lang], { type: "language" });
    return (codes ?? []).map((code) => names.of(code)).join(", ");
  };

  /** The address of an embedded model, `repo:folder/file.gguf` or a path, as people call it: [file, where]. */
  const modelFile = (name) => {
    const [, where, file] = /^(.*[:/\\])?([^:/\\]+)$/.exec(name) ?? [];
    return [(file ?? name).replace(/\.gguf$/i, ""), (where ?? "").replace(/[:/\\]$/, "")];
  };

  /** Copies a text as old browsers do, which a page without HTTPS may, too; true where it worked. */
  const copySelected = (text) => {
    const area = document.createElement("textarea");
    area.value = text;
    area.style.cssText = "position:fixed;opacity:0";
    const within = document.querySelector('[role="dialog"][data-state="open"]') ?? document.body; // it keeps the focus
    within.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  };

  /** Copies a text; true where it worked. */
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copySelected(text);
    }
  };

  /**
   * The component first registered under a name. An element's file is run anew for every change of its
   * props; exporting `<Kept ... />` of one lasting component keeps what is unfolded, typed and focused.
   */
  const components = new Map();
  const keep = (name, component) => {
    if (!components.has(name)) components.set(name, component);
    return components.get(name);
  };

  /** Whether a turn is the newest of the thread; `otherwise` where the thread does not hold it. */
  const newest = (messages, turnId, otherwise = true) => {
    const holds = (step) => step.id === turnId || (step.steps ?? []).some(holds);
    const questions = messages.filter((message) => message.type === "user_message");
    const mine = questions.findIndex(holds);
    return mine === -1 ? otherwise : mine === questions.length - 1;
  };

  window.Konsilium = Object.freeze({
    DASH, known, words, number, decimal, plural, seconds, short, windowSize, speed, bytes, money, percent, copy, copySelected,
    format, reason, stage, pace, progress, modelFile, languages,
    keep, newest, root, shown, tell, voice, whenDrawn, eachFrame, make, icon, label, openThread,
  });

  /* Chainlit loads one script; the composer's part, the threads' and the names have files of their own. */
  for (const file of inChat ? ["attachments.js", "threads.js", "shelf.js", "projects.js", "models.js", "composer.js", "scroll.js", "names.js", "pictures.js", "formulas.js", "sources.js", "times.js", "aloud.js", "code.js"] : []) {
    const beside = new URL(file, document.currentScript.src);
    document.head.append(Object.assign(document.createElement("script"), { src: beside.href }));
  }
})();
