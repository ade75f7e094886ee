/* What an answer shows beside its words: code has its number of lines, wraps where that is wanted, and a tab
   that shows the diagram (Mermaid), the picture (SVG) or the page (HTML) which it describes; tables and CSV are
   copied as such. Nothing is shown unasked, and what is shown stands in a frame without scripts, without our
   origin and without a network: whatever leads out of it is taken away, and its own policy loads nothing. */
(() => {
  "use strict";

  const TEXTS = {
    ru: {
      lines: ["строка", "строки", "строк"], code: "Код", shown: "Просмотр", wrap: "Переносить длинные строки", drawing: "Рисуем…",
      broken: "Диаграмма не нарисовалась: в её тексте ошибка.", noLibrary: "Диаграмма не нарисовалась: не загрузилась Mermaid.",
      quiet: "Скрипты не выполняются, из сети ничего не загружается.", copyTable: "Скопировать таблицу", copied: "Скопировано",
      tsv: "Для Excel и таблиц (TSV)", csv: "CSV", markdown: "Markdown", more: (count) => `Ещё ${count} — на вкладке «Код». Копируется всё.`,
    },
    uk: {
      lines: ["рядок", "рядки", "рядків"], code: "Код", shown: "Перегляд", wrap: "Переносити довгі рядки", drawing: "Малюємо…",
      broken: "Діаграма не намалювалася: у її тексті помилка.", noLibrary: "Діаграма не намалювалася: не завантажилася Mermaid.",
      quiet: "Скрипти не виконуються, з мережі нічого не завантажується.", copyTable: "Скопіювати таблицю", copied: "Скопійовано",
      tsv: "Для Excel і таблиць (TSV)", csv: "CSV", markdown: "Markdown", more: (count) => `Ще ${count} — на вкладці «Код». Копіюється все.`,
    },
    en: {
      lines: ["line", "lines"], code: "Code", shown: "Preview", wrap: "Wrap long lines", drawing: "Drawing…",
      broken: "The diagram could not be drawn: there is a mistake in its text.", noLibrary: "The diagram could not be drawn: Mermaid did not load.",
      quiet: "Scripts do not run, and nothing is loaded from the network.", copyTable: "Copy the table", copied: "Copied",
      tsv: "For Excel and sheets (TSV)", csv: "CSV", markdown: "Markdown", more: (count) => `${count} more: see the “Code” tab. All of them are copied.`,
    },
  };
  const K = window.Konsilium;
  const { make } = K;
  const lang = () => document.documentElement.lang.slice(0, 2);
  const text = () => K.words(lang(), TEXTS);

  /* -- what code describes -------------------------------------------------------------------------- */

  const KINDS = { mermaid: "mermaid", mmd: "mermaid", svg: "svg", html: "html", htm: "html", xhtml: "html", csv: "table", tsv: "table" };
  const kindOf = (language, code) => {
    if (/^\s*(?:<\?xml[^>]*>\s*)?(?:<!--[^]*?-->\s*)?(?:<!doctype svg[^>]*>\s*)?<svg[\s>]/i.test(code)) return "svg";
    return KINDS[language] ?? (/^\s*<(?:!doctype html|html)[\s>]/i.test(code) ? "html" : null);
  };

  /* -- the frame -------------------------------------------------------------------------------------- */

  const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; font-src data:; form-action 'none'; base-uri 'none'";
  const LEADING_OUT = 'script, link, meta, base, iframe, frame, frameset, object, embed, portal, fencedframe, noscript, template, [attributeName*="href" i]';
  const LINKS = ["href", "xlink:href", "ping", "action", "formaction", "target", "src", "srcset", "poster", "data", "background", "manifest"];
  /* A document of DOMParser's runs and loads nothing. */
  const harmless = (html, style) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    for (const element of page.querySelectorAll(LEADING_OUT)) element.remove();
    for (const element of page.querySelectorAll("*")) {
      for (const name of LINKS) {
        const leads = element.getAttribute(name);
        if (leads !== null && !/^\s*(?:#|data:(?:image|audio|video)\/)/i.test(leads)) element.removeAttribute(name);
      }
      for (const name of element.getAttributeNames()) if (/^on/i.test(name)) element.removeAttribute(name);
    }
    const policy = page.createElement("meta");
    policy.httpEquiv = "Content-Security-Policy";
    policy.content = POLICY;
    const own = page.createElement("style");
    own.textContent = style;
    page.head.prepend(policy, own);
    return `<!doctype html>${page.documentElement.outerHTML}`;
  };
  const frame = (html, style, title) => {
    const made = make("iframe", { class: "k-frame", sandbox: "", referrerpolicy: "no-referrer", title });
    made.srcdoc = harmless(html, style);
    return made;
  };

  const PAGE_STYLE = "html { color-scheme: light; background: #fff; color: #111; font-family: system-ui, sans-serif }";
  const dark = () => document.documentElement.classList.contains("dark");
  const PICTURE_STYLE = (ground) =>
    `html, body { margin: 0; height: 100%; background: ${ground}; color-scheme: light } body > svg { display: block; margin: auto; max-width: 100%; height: 100% }`;
  const picture = (svg, ground) => {
    const root = new DOMParser().parseFromString(svg, "text/html").querySelector("svg");
    const [, , width, height] = (root?.getAttribute("viewBox") ?? "").trim().split(/[\s,]+/).map(Number);
    const size = width > 0 && height > 0 ? [width, height] : ["width", "height"].map((name) => parseFloat(root?.getAttribute(name)));
    const made = frame(svg, PICTURE_STYLE(ground), text().shown);
    if (size.every((one) => one > 0)) made.style.cssText = `aspect-ratio: ${size[0]} / ${size[1]}; height: auto; max-width: ${Math.max(320, 2 * size[0])}px; max-height: max(70vh, 16rem)`;
    return made;
  };

  /* -- diagrams: Mermaid draws them in a page of its own, out of sight (app/view/diagrams.py) ------------- */

  const LIBRARY = "public/mermaid/mermaid-11.17.2.min.js.gz";
  const unpacked = async () => {
    const answer = await fetch(K.root + LIBRARY);
    if (!answer.ok) throw new Error(`Mermaid did not load: ${answer.status}`);
    return new Response(answer.body.pipeThrough(new DecompressionStream("gzip"))).text();
  };
  const waiting = new Map(); // by number: who waits for that diagram
  let studio = null;
  let number = 0;
  const OPENS_MS = 60_000;
  const openStudio = () => {
    const hidden = make("iframe", { class: "k-studio", sandbox: "allow-scripts", src: `${K.root}diagrams`, "aria-hidden": "true", tabindex: "-1" });
    const gone = new AbortController();
    const ready = new Promise((resolve, reject) => {
      setTimeout(reject, OPENS_MS, new Error("the page of diagrams did not open"));
      window.addEventListener("message", ({ source, data }) => {
        if (source !== hidden.contentWindow || !data?.konsilium_diagram) return;
        const { ready: up, id, svg, error } = data.konsilium_diagram;
        if (up) return resolve();
        waiting.get(id)?.({ svg, error });
        waiting.delete(id);
      }, { signal: gone.signal });
    });
    document.body.append(hidden);
    const send = (said) => hidden.contentWindow.postMessage(said, "*"); // it has no origin to name
    return Promise.all([unpacked(), ready]).then(([library]) => {
      send({ library, id: 0, text: "flowchart LR\n a", theme: "default" });
      return send;
    }).catch((error) => {
      gone.abort();
      hidden.remove();
      throw error;
    });
  };
  const drawnDiagram = async (code) => {
    studio ??= openStudio();
    try {
      const send = await studio;
      const id = (number += 1);
      return await new Promise((resolve) => {
        waiting.set(id, resolve);
        send({ id, text: code, theme: dark() ? "dark" : "default" });
      });
    } catch (error) {
      studio = null; // asked for anew next time
      console.warn("no diagrams", error);
      return { missing: true };
    }
  };
  const diagram = async (code) => {
    const { svg, error, missing } = await drawnDiagram(code);
    if (svg) return [picture(svg, dark() ? "#1f2020" : "#fff")];
    const said = make("p", { class: "k-preview-note", role: "alert" }, missing ? text().noLibrary : text().broken);
    return [said, error && make("pre", { class: "k-preview-why" }, error)].filter(Boolean);
  };

  const SHEET_ROWS = 200;
  const SHEET_CELLS = 5_000; // of a table wider than most
  const counted = (count) => `${K.number(lang(), count)} ${K.plural(lang(), count, text().lines)}`;
  const widest = (rows) => rows.reduce((most, row) => Math.max(most, row.length), 1);
  const sheet = (rows) => {
    const width = widest(rows);
    const most = 1 + Math.max(1, Math.min(SHEET_ROWS, Math.floor(SHEET_CELLS / width)));
    const left = rows.length - most;
    const more = left > 0 && make("p", { class: "k-preview-note" }, text().more(counted(left)));
    return [table(rows.slice(0, most)), more].filter(Boolean);
  };
  const table = (rows) => {
    const cells = (row, tag) => make("tr", {}, ...row.map((cell) => make(tag, tag === "th" ? { scope: "col" } : {}, cell || "\u00a0")));
    const [head = [], ...rest] = rows;
    return make("table", { class: "k-sheet" }, make("thead", {}, cells(head, "th")), make("tbody", {}, ...rest.map((row) => cells(row, "td"))));
  };
  const shown = async (kind, code, language) => {
    if (kind === "mermaid") return diagram(code);
    if (kind === "svg") return [picture(code, "#fff")];
    if (kind === "table") return sheet(parsed(code, language));
    const made = frame(code, PAGE_STYLE, text().shown);
    return [made, make("p", { class: "k-preview-note" }, text().quiet)];
  };

  /* -- tables as other programs take them ------------------------------------------------------------- */

  const quoted = (cell, mark) => (cell.includes(mark) || /["\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  const separated = (mark) => (rows) => rows.map((row) => row.map((cell) => quoted(cell, mark)).join(mark)).join("\n");
  const marked = (rows) => {
    const width = widest(rows);
    const line = (row) => `| ${Array.from({ length: width }, (_, place) => (row[place] ?? "").replaceAll("|", "\\|").replaceAll(/\r?\n/g, "<br>")).join(" | ")} |`;
    return [line(rows[0]), `|${" --- |".repeat(width)}`, ...rows.slice(1).map(line)].join("\n");
  };
  const FORMS = { tsv: separated("\t"), csv: separated(","), markdown: marked };
  const rowsOf = (drawn) =>
    [...drawn.rows].map((row) =>
      [...row.cells].map((cell) => {
        const said = cell.cloneNode(true);
        for (const formula of said.querySelectorAll(".katex")) formula.replaceWith(`\\( ${formula.querySelector("annotation")?.textContent.trim() ?? ""} \\)`);
        return said.textContent.trim();
      }),
    );
  /* RFC 4180; where the language says nothing, the mark that the first line has most of. */
  const parsed = (code, language) => {
    const [first] = code.split("\n", 1);
    const many = (mark) => first.split(mark).length;
    const mark = language === "tsv" ? "\t" : [",", ";", "\t"].reduce((best, one) => (many(one) > many(best) ? one : best));
    const rows = [[]];
    let [cell, inside] = ["", false];
    for (let at = 0; at < code.length; at++) {
      const sign = code[at];
      if (inside) {
        if (sign !== '"') cell += sign;
        else if (code[at + 1] === '"') cell += code[at++];
        else inside = false;
      } else if (sign === '"' && !cell) inside = true;
      else if (sign === mark || sign === "\n") {
        rows.at(-1).push(cell);
        cell = "";
        if (sign === "\n") rows.push([]);
      } else if (sign !== "\r") cell += sign;
    }
    rows.at(-1).push(cell);
    return rows.filter((row) => row.length > 1 || row[0]);
  };

  const choices = Object.keys(FORMS).map((form) => make("button", { type: "button", "data-form": form }));
  const menu = make("div", { id: "k-table-menu", class: "k-menu", popover: "" }, ...choices);
  let copying = null; // { button, rows }
  menu.addEventListener("click", async ({ target }) => {
    const form = target.closest("button")?.dataset.form;
    if (!form || !copying) return;
    menu.hidePopover();
    const { button, rows } = copying;
    const copied = await K.copy(FORMS[form](rows()));
    button.focus();
    if (!copied) return;
    K.label(button, text().copied);
    button.replaceChildren(K.icon("check"));
    setTimeout(() => faceOfCopying(button), 2000);
  });
  const faceOfCopying = (button) => {
    button.replaceChildren(K.icon("table"));
    K.label(button, text().copyTable);
  };
  const copyButton = (rows) => {
    const button = make("button", { type: "button", class: "k-code-tool k-copy-table", "aria-haspopup": "true" });
    faceOfCopying(button);
    button.addEventListener("click", () => {
      copying = { button, rows };
      for (const choice of choices) choice.textContent = text()[choice.dataset.form];
      if (!menu.isConnected) document.body.append(menu);
      menu.showPopover();
      const under = button.getBoundingClientRect();
      const { width, height } = menu.getBoundingClientRect();
      menu.style.left = `${Math.max(8, Math.min(under.right - width, window.innerWidth - width - 8))}px`;
      menu.style.top = `${under.bottom + height + 8 < window.innerHeight ? under.bottom + 4 : under.top - height - 4}px`;
      choices[0].focus();
    });
    return button;
  };

  /* -- a block of code and its tools -------------------------------------------------------------------- */

  const blocks = new WeakMap(); // a block's card -> what is known of it
  const select = async (card, name) => {
    const block = blocks.get(card);
    card.dataset.kShown = name;
    for (const tab of block.tabs) tab.setAttribute("aria-selected", String(tab.dataset.tab === name));
    if (name === "code") return block.panel?.remove();
    block.panel ??= make("div", { class: "k-preview", role: "tabpanel", "aria-label": text().shown });
    if (!block.panel.isConnected) card.append(block.panel);
    const code = block.code();
    if (block.drawn === code) return undefined;
    block.drawn = code;
    block.panel.replaceChildren(make("p", { class: "k-preview-note", role: "status" }, text().drawing));
    const made = await shown(block.kind, code, block.language);
    if (block.drawn !== code) return undefined;
    block.panel.replaceChildren(...made);
    if (block.kind === "mermaid" && !studio) block.drawn = null; // it did not load: tried again when next asked for
    return undefined;
  };
  const REDRAWN_AFTER = 600; // ms without another line
  const dress = (label) => {
    const head = label.parentElement;
    const card = head.parentElement;
    const block = blocks.get(card) ?? { tabs: [] };
    blocks.set(card, block);
    block.code = () => card.querySelector("code")?.textContent ?? "";
    block.language = label.dataset.kLanguage ?? "";
    const count = Number(label.dataset.kLines);
    const said = counted(count);
    block.count ??= make("span", { class: "k-lines" });
    if (block.count.textContent !== said) block.count.textContent = said;
    const kind = kindOf(block.language, block.code());
    if (!block.tools || block.kind !== kind || block.lang !== lang()) {
      block.tools?.remove();
      Object.assign(block, { kind, lang: lang() });
      const tab = (name) => {
        const made = make("button", { type: "button", class: "k-code-tab", role: "tab", "data-tab": name, "aria-selected": String(name === (card.dataset.kShown ?? "code")) }, text()[name]);
        made.addEventListener("click", () => select(card, name));
        return made;
      };
      block.tabs = kind ? [tab("code"), tab("shown")] : [];
      const wrap = make("button", { type: "button", class: "k-code-tool k-wrap", "aria-pressed": String(card.hasAttribute("data-k-wrap")) }, K.icon("wrap"));
      K.label(wrap, text().wrap);
      wrap.addEventListener("click", () => wrap.setAttribute("aria-pressed", String(card.toggleAttribute("data-k-wrap"))));
      const list = kind && make("span", { role: "tablist", class: "k-code-tabs", "aria-label": text().shown }, ...block.tabs);
      const copy = kind === "table" && copyButton(() => parsed(block.code(), block.language));
      block.tools = make("span", { class: "k-code-tools" }, block.count, list, copy, wrap);
    }
    if (block.tools.parentElement !== head) head.append(block.tools);
    if (card.dataset.kShown !== "shown") return;
    clearTimeout(block.again);
    block.again = setTimeout(() => card.isConnected && card.dataset.kShown === "shown" && select(card, "shown"), REDRAWN_AFTER);
  };
  K.whenDrawn("[data-k-lines]", dress);
  K.whenDrawn(".k-copy-table", faceOfCopying); // in the page's language
  K.whenDrawn(".message-content table:not(.k-sheet)", (drawn) => {
    const card = drawn.closest(".bg-card");
    if (!card || card.querySelector(":scope > .k-table-tools")) return;
    card.append(make("div", { class: "k-table-tools" }, copyButton(() => rowsOf(drawn.isConnected ? drawn : card.querySelector("table")))));
  });

  /* -- lists and notes ---------------------------------------------------------------------------------- */

  /* A list that begins with a year has room for it; lists and tables run the way their own letters do. */
  K.whenDrawn(".message-content ol[start]", (list) => {
    list.style.paddingInlineStart = `calc(0.5rem + ${list.getAttribute("start").length - 1}ch)`;
  });
  K.whenDrawn(".message-content .prose :is(ul, ol, table)", (block) => block.setAttribute("dir", "auto"));

  /* A footnote, and what else an answer calls a place of its own, is in that answer and not in another tab. */
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('.message-content .prose a[href^="#"]');
    if (!link) return;
    event.preventDefault();
    const id = decodeURIComponent(link.hash.slice(1));
    const places = link.closest(".message-content")?.querySelectorAll("li, a") ?? [];
    [...places].find((place) => place.id === id)?.scrollIntoView({ block: "center" });
  }, true);
})();
