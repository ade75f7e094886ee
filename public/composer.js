/* What a person does with their own words: what was typed stays when the composer is drawn anew, the next
   question waits while an answer is being written, a question is copied, and is edited by the keyboard alone (Enter, Shift+Enter, Esc); and a button that leads to
   the lists of tools and knowledge bases. */
(() => {
  "use strict";

  const TEXTS = {
    ru: { waiting: "Следующим:", back: "Вернуть в поле", copy: "Скопировать вопрос", copied: "Скопировано", tools: "Инструменты и базы знаний" },
    uk: { waiting: "Наступним:", back: "Повернути в поле", copy: "Скопіювати запитання", copied: "Скопійовано", tools: "Інструменти й бази знань" },
    en: { waiting: "Next:", back: "Back into the field", copy: "Copy the question", copied: "Copied", tools: "Tools and knowledge bases" },
  };
  const K = window.Konsilium;
  const text = () => K.words(document.documentElement.lang.slice(0, 2), TEXTS);
  const field = () => document.querySelector("#chat-input");
  const running = () => document.querySelector("#stop-button") !== null;

  /* React hears of a value only by the setter of the element's own kind. */
  const write = (words) => {
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(field(), words);
    field().dispatchEvent(new Event("input", { bubbles: true }));
  };

  /* The composer is another one once the page shows its first message (a form, a guide), and in another
     conversation: what was typed and not sent comes back where it was typed. */
  const drafts = new Map();
  let begins = false; // a conversation, which has no address yet
  const sent = () => {
    const [at, path] = [field(), window.location.pathname];
    drafts.delete(path);
    begins = path === K.root;
    setTimeout(() => { // Enter may only have taken an entry of a list
      if (!at?.isConnected || !at.value || path !== window.location.pathname) return;
      drafts.set(path, at.value);
      begins = false;
    });
  };
  /* What is typed while it gets one goes there with it. */
  window.addEventListener("message", ({ data, source }) => {
    if (source !== window || !data?.konsilium_thread || !(begins || window.location.pathname === K.root)) return;
    const address = `${K.root}thread/${data.konsilium_thread}`;
    const draft = drafts.get(K.root);
    if (draft && !drafts.get(address)) drafts.set(address, draft);
    drafts.delete(K.root);
    begins = false;
  });
  document.addEventListener("input", ({ target }) => {
    if (target.id === "chat-input") drafts.set(window.location.pathname, target.value);
  });
  document.addEventListener("click", ({ target }) => target.closest?.("#chat-submit") && sent(), true);
  K.whenDrawn("#chat-input", (drawn) => {
    const draft = drafts.get(window.location.pathname);
    if (draft && !drawn.value) write(draft);
  });

  /* One question waits; more words join it. It is asked once the answer has ended by itself, and is given
     back into the field where the person stopped that or went to another conversation. */
  const note = K.make("div", { id: "k-queue", role: "status" });
  let queued = null;

  const show = () => {
    if (!queued) return note.remove();
    const back = K.make("button", { type: "button", class: "k-button k-plain" }, "✕");
    K.label(back, text().back);
    back.addEventListener("click", give);
    note.replaceChildren(K.make("span", { class: "k-muted" }, text().waiting), K.make("span", { class: "k-queued" }, queued.words), back);
    document.querySelector("#message-composer")?.before(note);
    return undefined;
  };
  function give() {
    if (!queued || !field()) return;
    const { words } = queued;
    queued = null;
    show();
    const back = (again) => {
      if (field() && !field().value.includes(words)) write([words, field().value].filter(Boolean).join("\n"));
      if (again) setTimeout(back, 300, again - 1); // the composer empties itself when a turn ends
    };
    back(3);
    field().focus();
  }
  const next = () => {
    if (!queued || !field()) return;
    if (!note.isConnected) show(); // the composer is drawn anew when its page gets an address
    const here = window.location.pathname;
    const elsewhere = queued.path.includes("/thread/") && queued.path !== here;
    if (elsewhere || (queued.stopped && !running())) return give();
    queued.path = here;
    if (running()) return;
    const draft = field().value;
    if (!queued.written) {
      queued.written = true;
      queued.draft = draft;
      write(queued.words);
      return;
    }
    const send = document.querySelector("#chat-submit");
    if (!send || send.disabled) return;
    const kept = queued.draft;
    queued = null;
    send.click();
    show();
    if (kept) setTimeout(() => write(kept));
  };

  /* Stopped by the keyboard, the button takes the focus along as it goes. */
  let byKey = false;
  const refocus = () => {
    if (!byKey || running() || !field()) return;
    byKey = false;
    const { activeElement: at } = document;
    if (at === document.body || at.disabled) field().focus();
  };
  document.addEventListener("click", ({ target, detail }) => {
    if (!target.closest?.("#stop-button")) return;
    if (queued) queued.stopped = true;
    byKey = detail === 0;
  }, true);

  /* The keyboard of a phone has no Shift+Enter: Enter is a new line there, and the button sends. */
  const touched = window.matchMedia("(hover: none) and (pointer: coarse)");

  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.isComposing || event.shiftKey) return;
    if (key === "Enter" && target.id === "chat-input" && document.querySelector(".command-item")) return; // it takes a command
    if (key === "Enter" && touched.matches && !event.ctrlKey && !event.metaKey && ["chat-input", "edit-chat-input"].includes(target.id)) {
      event.stopImmediatePropagation();
      return;
    }
    if (target.id === "chat-input" && key === "Enter" && document.querySelector("#chat-submit:enabled")) sent();
    if (target.id === "chat-input" && key === "Enter" && running() && target.value.trim()) {
      const words = [queued?.words, target.value.trim()].filter(Boolean).join("\n\n");
      queued = { words, path: window.location.pathname };
      write("");
      show();
    } else if (target.id === "edit-chat-input" && key === "Enter") {
      target.parentElement.querySelector(".confirm-edit")?.click();
    } else if (target.id === "edit-chat-input" && key === "Escape") {
      target.parentElement.querySelector(".confirm-edit")?.previousElementSibling?.click();
    } else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  /* Word and spreadsheets copy a picture of the words along with them: it is the words that are pasted. */
  document.addEventListener("paste", (event) => {
    const { target, clipboardData: copied } = event;
    if (target.id !== "chat-input" || !copied?.files.length) return;
    if (copied.types.includes("text/html") && copied.getData("text/plain").trim()) event.stopImmediatePropagation();
  }, true);

  /* A button to copy beside the others of a question. */
  K.whenDrawn(".favorite-message", (star) => {
    const had = star.parentElement.querySelector(":scope > .k-own");
    if (had) return star.after(had); // the others were drawn anew: an edit was given up
    const button = K.make("button", { type: "button", class: "k-own" }, K.icon("copy"));
    K.label(button, text().copy);
    button.addEventListener("click", async () => {
      const words = button.parentElement.querySelector(".message-content")?.innerText ?? "";
      if (!(await K.copy(words))) return;
      button.setAttribute("aria-label", text().copied);
      setTimeout(() => button.setAttribute("aria-label", text().copy), 2000);
    });
    return star.after(button);
  });

  /* An edit begins at the question's end; given up by the keyboard, it gives the focus back to its pencil. */
  let left = null;
  document.addEventListener("click", ({ target, detail }) => {
    const cancel = target.closest?.("button");
    if (detail === 0 && cancel?.nextElementSibling?.matches(".confirm-edit")) left = cancel.closest("[data-step-type]");
  }, true);
  document.addEventListener("focusin", ({ target }) => {
    if (target.id === "edit-chat-input") target.setSelectionRange(target.value.length, target.value.length);
  });
  K.whenDrawn(".edit-message", (pencil) => {
    if (!left?.contains(pencil)) return;
    left = null;
    pencil.focus();
  });

  /* A button beside that of the settings opens these where tools and knowledge bases are chosen. */
  let wanted = false;
  const lead = () => {
    const settings = document.querySelector("#chat-settings-open-modal");
    if (settings && !document.querySelector("#k-tools")) {
      const button = K.make("button", { type: "button", id: "k-tools", class: settings.className }, K.icon("tools"));
      button.addEventListener("click", () => {
        wanted = !document.querySelector("#chat-settings-open-modal").disabled;
        document.querySelector("#chat-settings-open-modal").click();
      });
      settings.after(button);
    }
    const button = document.querySelector("#k-tools");
    if (button) K.label(button, text().tools);
    if (button && settings && button.disabled !== settings.disabled) button.disabled = settings.disabled;
    const list = wanted && document.querySelector('#chat-settings :is(label[for="knowledge"], label[for^="tools_of:"])');
    if (!list) return;
    wanted = false;
    list.scrollIntoView({ block: "start" });
  };

  K.eachFrame(() => {
    if (window.location.pathname.startsWith(`${K.root}login`)) drafts.clear(); // who signs in next is another
    lead();
    next();
    refocus();
  });
})();
