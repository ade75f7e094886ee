/* Citations: a mark opens its source beside the chat, and an answer is copied with clean marks and a list of
   what they stand for. */
(() => {
  "use strict";

  /* The list of sources under its answer opens it, which is the first one after the mark. A mark of a number
     that is nowhere leads nowhere. */
  document.addEventListener(
    "click",
    (event) => {
      const link = event.target.closest?.('a[href^="#k-source-"], a[href^="#k-open-source-"], a[href="#k-no-source"]');
      if (!link) return;
      event.preventDefault();
      const lists = [...document.querySelectorAll(".k-sources")];
      const behind = (list) => link.compareDocumentPosition(list) & Node.DOCUMENT_POSITION_FOLLOWING;
      const number = link.getAttribute("href").split("-").pop();
      lists.find(behind)?.querySelector(`[data-source="${number}"]`)?.click();
    },
    true,
  );

  /* Chainlit (2.12.0) copies an answer's Markdown, where marks are links for this page alone, and asks for
     ClipboardItem, which a page without HTTPS does not have. Which answer it is, the button that was pressed tells. */
  let pressed = null;
  document.addEventListener("click", (event) => { pressed = event.target.closest?.("button") ?? null; }, true);

  const sources = () => {
    const list = pressed?.closest("[data-step-type]")?.querySelector(".k-sources");
    if (!list || pressed.closest(".message-content")) return null; // a button of the code in it
    const lines = [...list.querySelectorAll(".k-source")].map((one) => {
      const [number, title, about] = ["number", "title", "about"].map((part) => one.querySelector(`.k-source-${part}`)?.textContent);
      return { number, text: [title, about, one.href].filter(Boolean).join(", ") };
    });
    return lines.length ? { title: list.getAttribute("aria-label"), lines } : null;
  };

  const plain = (text) => {
    const clean = text
      .replace(/\[(?:\\\[|&#91;)(\d+\??)(?:\\\]|&#93;)\]\(#k-(?:open-)?source-\d+(?: "(?:\\.|[^"\\])*")?\)/g, "[$1]")
      .replace(/~~\\\[(\d+)\\\]~~/g, "~~[$1]~~")
      .replace(/\[([^\]]+)\]\(#k-no-source "[^"]*"\)/g, "$1");
    const listed = sources();
    if (!listed) return clean;
    return `${clean.trimEnd()}\n\n${listed.title}:\n${listed.lines.map((one) => `[${one.number}] ${one.text}`).join("\n")}\n`;
  };

  const rich = (html) => {
    const copied = Object.assign(document.createElement("template"), { innerHTML: html }).content;
    for (const ours of copied.querySelectorAll(".k-code-tools, .k-table-tools, .k-preview")) ours.remove();
    for (const link of copied.querySelectorAll('a[href^="#k-"]')) link.replaceWith(...link.childNodes);
    const listed = sources();
    if (listed) {
      const part = (name, text) => Object.assign(document.createElement(name), { textContent: text });
      copied.append(part("p", `${listed.title}:`), ...listed.lines.map((one) => part("p", `[${one.number}] ${one.text}`)));
    }
    const box = document.createElement("div");
    box.append(copied);
    return box.innerHTML;
  };

  const { clipboard } = navigator;
  if (clipboard?.write) {
    const write = clipboard.write.bind(clipboard);
    const CLEAN = { "text/plain": plain, "text/html": rich };
    clipboard.write = async (items) => {
      const clean = items.map((item) => new ClipboardItem(Object.fromEntries(item.types.map((type) => [
        type,
        item.getType(type).then(async (blob) => (CLEAN[type] ? new Blob([CLEAN[type](await blob.text())], { type }) : blob)),
      ]))));
      return write(clean);
    };
    const writeText = clipboard.writeText.bind(clipboard);
    clipboard.writeText = (text) => writeText(text).catch((refused) => {
      if (!window.Konsilium.copySelected(text)) throw refused;
    });
  } else {
    window.ClipboardItem ??= class {};
    const writeText = async (text) => {
      if (!window.Konsilium.copySelected(plain(text))) throw new Error("the page may not copy");
    };
    Object.defineProperty(navigator, "clipboard", { value: { writeText }, configurable: true });
  }
})();
