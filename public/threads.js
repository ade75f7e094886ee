/* What the page lacks about threads: a button that takes the open one along as a file, words that
   Chainlit has in English alone, and links that outlast the sign-in page. */
(() => {
  "use strict";

  const TEXTS = {
    ru: { take: "Скачать разговор", markdown: "Markdown, чтобы читать", all: "Markdown со всеми ветвями", json: "JSON, чтобы обработать", unshare: "Закрыть доступ", bin: "Корзина", archive: "Архив", bring: "Импорт", elsewhere: "Другие разговоры", deleted: "Разговор в корзине", versions: "Прежний вариант сохранён", undo: "Вернуть", close: "Закрыть" },
    uk: { take: "Завантажити розмову", markdown: "Markdown, щоб читати", all: "Markdown з усіма гілками", json: "JSON, щоб обробити", unshare: "Закрити доступ", bin: "Кошик", archive: "Архів", bring: "Імпорт", elsewhere: "Інші розмови", deleted: "Розмова в кошику", versions: "Попередній варіант збережено", undo: "Повернути", close: "Закрити" },
    en: { take: "Download the conversation", markdown: "Markdown, to read", all: "Markdown with all branches", json: "JSON, to work with", unshare: "Stop sharing", bin: "Bin", archive: "Archive", bring: "Import", elsewhere: "Other conversations", deleted: "The conversation is in the bin", versions: "The earlier version is kept", undo: "Undo", close: "Close" },
  };
  const K = window.Konsilium;
  const { make } = K;
  const root = new URL("..", document.currentScript.src);
  const text = () => K.words(document.documentElement.lang.slice(0, 2), TEXTS);
  const { openThread } = K;

  const QUERIES = { markdown: "format=markdown", all: "format=markdown&branches=all", json: "format=json" };
  const links = Object.fromEntries(Object.keys(QUERIES).map((kind) => [kind, make("a", { download: "" })]));
  const menu = make("div", { id: "take-along-menu", class: "k-menu", popover: "" }, ...Object.values(links));
  const button = make("button", {
    id: "take-along", type: "button", class: "k-icon-button", popovertarget: menu.id, "aria-expanded": "false",
  }, K.icon("download"));
  const place = make("span", {}, button, menu);

  menu.addEventListener("toggle", (event) => {
    button.setAttribute("aria-expanded", String(event.newState === "open"));
    if (event.newState !== "open") return;
    const under = button.getBoundingClientRect();
    menu.style.top = `${under.bottom + 4}px`;
    menu.style.right = `${window.innerWidth - under.right}px`;
    links.markdown.focus();
  });
  menu.addEventListener("click", () => menu.hidePopover());

  const offer = (header) => {
    const thread = openThread();
    if (!thread) {
      place.remove();
      return;
    }
    if (button.title !== text().take) {
      K.label(button, text().take);
      for (const [kind, link] of Object.entries(links)) link.textContent = text()[kind];
    }
    for (const [kind, link] of Object.entries(links)) {
      const address = new URL(`project/thread/${thread}/export?${QUERIES[kind]}`, root).href;
      if (link.href !== address) link.href = address;
    }
    if (place.parentElement !== header) header.prepend(place);
  };

  /* The button that takes a link back has no translation upstream (ShareDialog of 2.12.0). */
  K.whenDrawn('[role="dialog"] button', (label) => {
    if (label.textContent === "Unshare") label.firstChild.data = text().unshare;
  });

  /* The help leads to the description of the API, wherever the app is served. */
  K.whenDrawn('[role="dialog"] a[href="/api/docs"]', (link) => (link.href = new URL("api/docs", root)));

  /* What was just done can be undone for a while: a deleted thread comes back from the bin, an edit or
     another answer gives way to the version before it, which its arrows lead to later, too. Time stands still
     under the pointer and the focus; who writes on, or steps to another version, needs it no more. */
  const UNDO_MS = 12_000;
  const VERSION_MS = 6_000;
  const note = make("div", { id: "k-undo", role: "status", hidden: "" });
  let ending = 0;
  let lasts = UNDO_MS;
  const hideNote = () => {
    note.hidden = true;
    clearTimeout(ending);
  };
  const endLater = () => {
    clearTimeout(ending);
    if (!note.matches(":hover, :focus-within")) ending = setTimeout(hideNote, lasts);
  };
  for (const act of ["pointerenter", "pointerleave", "focusin", "focusout"]) {
    note.addEventListener(act, () => setTimeout(endLater));
  }
  const hideVersion = () => lasts === VERSION_MS && hideNote();
  document.addEventListener("input", ({ target }) => target.closest?.("#message-composer") && hideVersion());
  window.addEventListener("konsilium-branch", hideVersion);
  const placeNote = () => {
    const composer = document.querySelector("#message-composer"); // above it nothing is covered
    if (note.hidden || (composer ? composer.previousElementSibling === note : note.isConnected)) return;
    if (composer) composer.before(note);
    else document.body.append(note);
  };
  const undo = ({ thread, step, archived, moved, said }) => {
    const back = make("button", { type: "button", class: "k-button" }, text().undo);
    back.addEventListener("click", async () => {
      hideNote();
      if (archived) return window.postMessage({ konsilium_unarchive: archived }, window.location.origin);
      if (moved) return window.postMessage({ konsilium_move_back: moved }, window.location.origin);
      if (step) return K.tell({ event: "branch", step });
      await fetch(new URL("bin/restore", root), { method: "POST", body: new URLSearchParams({ thread }) });
      window.location.assign(new URL(`thread/${thread}`, root));
    });
    const close = make("button", { type: "button", class: "k-button k-plain" }, K.icon("close"));
    K.label(close, text().close);
    close.addEventListener("click", hideNote);
    note.replaceChildren(make("span", {}, said ?? (thread ? text().deleted : text().versions)), back, close);
    note.hidden = false;
    lasts = step ? VERSION_MS : UNDO_MS;
    placeNote();
    endLater();
  };

  /* A thread deleted here or in another tab is left: Chainlit opens it once more while it deletes it. */
  window.addEventListener("message", ({ data, source }) => {
    if (source !== window) return;
    if (data?.konsilium_deleted) document.querySelector("#new-chat-button")?.click();
    if (data?.konsilium_undo) undo(data.konsilium_undo);
    if (data?.konsilium_open) window.location.assign(new URL(`thread/${data.konsilium_open}`, root));
    if (data?.konsilium_opened) find(data.konsilium_opened);
    if (data?.konsilium_thread) address(data.konsilium_thread);
  });

  /* What a search found in another branch is in the link: the branch is shown once the thread is there,
     and then the message, unless the person goes elsewhere meanwhile. */
  const FINDING_MS = 10_000;
  let found = null;
  const find = (thread) => {
    const step = new URLSearchParams(window.location.search).get("branch");
    if (!step || thread !== openThread()) return;
    window.history.replaceState(window.history.state, "", window.location.pathname);
    found = { step, thread, until: performance.now() + FINDING_MS };
    K.tell({ event: "branch", step });
  };
  const showFound = () => {
    if (found && (found.thread !== openThread() || performance.now() > found.until)) found = null;
    if (!found) return;
    window.dispatchEvent(new CustomEvent("konsilium-seek", { detail: found.step }));
    const message = document.getElementById(`step-${found.step}`);
    if (!message) return;
    if (!message.closest(".k-later")) found = null; // else it is drawn where it is looked at
    message.scrollIntoView({ block: "center" });
  };
  for (const act of ["wheel", "touchmove", "keydown"]) {
    document.addEventListener(act, ({ target }) => {
      if (found && document.querySelector("[data-step-type]")?.closest(".overflow-y-auto")?.contains(target)) found = null;
    }, { capture: true, passive: true });
  }

  /* A conversation gets its address with its first question. Chainlit does that in its side bar alone,
     which a phone does not show, and not under a path of its own: the page's router is told by the same
     event that a press on "Back" sends it. */
  const address = (thread) => {
    if (window.location.pathname !== root.pathname) return;
    window.history.pushState(null, "", `${root.pathname}thread/${thread}`);
    window.dispatchEvent(new PopStateEvent("popstate", { state: null }));
  };

  const pages = { archive: make("a", { id: "k-archive", href: new URL("archive", root).href }) };
  pages.bin = make("a", { id: "k-bin", href: new URL("bin", root).href });
  pages.bring = make("a", { id: "k-import", href: new URL("import", root).href });
  const nav = make("nav", { class: "k-pages" }, ...Object.values(pages));
  const offerPages = (content) => {
    for (const [name, link] of Object.entries(pages)) link.textContent = text()[name];
    nav.setAttribute("aria-label", text().elsewhere);
    content.after(nav);
  };

  /* A link to a thread is followed after signing in too: Chainlit leads everybody home from there. */
  const WANTED = "konsilium-wanted";
  const LINK = /\/(thread|share)\/[0-9a-f-]{36}\/?$/;
  const followLink = () => {
    const here = window.location.pathname;
    if (here.startsWith(`${root.pathname}login`)) {
      const from = document.referrer && new URL(document.referrer);
      if (from && from.host === window.location.host && LINK.test(from.pathname)) sessionStorage.setItem(WANTED, from.pathname);
      return;
    }
    const wanted = sessionStorage.getItem(WANTED);
    sessionStorage.removeItem(WANTED);
    if (wanted && here === root.pathname) window.location.replace(wanted);
  };

  K.eachFrame(() => {
    followLink();
    placeNote();
    showFound();
    document.documentElement.toggleAttribute("data-shared", window.location.pathname.includes("/share/"));
    const header = document.querySelector("#header > div:last-child");
    if (header) offer(header);
  });
  K.whenDrawn('[data-sidebar="content"]', offerPages);
})();
