/* The dashboard: what is asked for, fetched and shown. The words come with the page. */
(() => {
  "use strict";

  const facts = JSON.parse(document.getElementById("facts").textContent);
  const { language, admin, texts, modes } = facts;
  const { Konsilium: figures, DashboardCharts: charts, DashboardTables: tables } = window;
  const locale = { ru: "ru-RU", uk: "uk-UA", en: "en-US" }[language];
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  const at = (id) => document.getElementById(id);
  const moment = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  const milliseconds = new Intl.NumberFormat(locale, { style: "unit", unit: "millisecond", maximumFractionDigits: 0 });
  const dayName = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone: "UTC" });

  const say = {
    texts,
    DASH: figures.DASH,
    number: (value, digits) => figures.number(language, value, digits),
    count: (value) => figures.number(language, value),
    short: figures.short,
    money: (value) => figures.money(language, value),
    seconds: (value) => (value !== null && value < 1 ? milliseconds.format(value * 1000) : figures.seconds(language, value)),
    speed: (value) => figures.speed(language, value),
    percent: figures.percent,
    mode: (id) => modes[id] ?? (id || texts.no_mode),
    day: (key) => dayName.format(new Date(`${key}T00:00:00Z`)),
    moment: (iso) => moment.format(new Date(iso)),
  };
  const show = tables.maker(say);

  const PERIODS = { today: 1, days_7: 7, days_30: 30, days_90: 90, days_365: 365, all_time: null, chosen_days: null };
  const DIMENSIONS = ["model", "server", "mode", "day", ...(admin ? ["user"] : [])];
  const ORDERS = ["slowest", "dearest"];

  /* ---- what is asked for: kept in the address, so that a reload and a link show the same ---- */

  const given = new URLSearchParams(location.search);
  const one = (name, allowed, otherwise) => (allowed.includes(given.get(name)) ? given.get(name) : otherwise);
  const chosen = {
    period: one("period", Object.keys(PERIODS), "days_30"),
    by: one("by", DIMENSIONS, "model"),
    order: one("order", ORDERS, "slowest"),
    from: given.get("from") ?? "",
    to: given.get("to") ?? "",
  };

  const localDay = (daysAgo) => {
    const now = new Date();
    const day = new Date(Date.UTC(now.getFullYear(), now.getMonth(), now.getDate() - daysAgo));
    return day.toISOString().slice(0, 10);
  };

  const span = () => {
    if (chosen.period === "chosen_days") return { from: chosen.from, to: chosen.to };
    const days = PERIODS[chosen.period];
    return days ? { from: localDay(days - 1), to: localDay(0) } : { from: "", to: "" };
  };

  const query = (more = {}) => {
    const parameters = new URLSearchParams({ zone, ...more });
    for (const [name, value] of Object.entries(span())) if (value) parameters.set(name, value);
    return parameters.toString();
  };

  const remember = () => {
    const parameters = new URLSearchParams({ period: chosen.period, by: chosen.by, order: chosen.order });
    if (chosen.period === "chosen_days") {
      parameters.set("from", chosen.from);
      parameters.set("to", chosen.to);
    }
    history.replaceState(null, "", `?${parameters}`);
    at("csv").href = `dashboard/usage.csv?${query()}`;
    at("votes-csv").href = `dashboard/votes.csv?${query()}`;
  };

  /* ---- fetching: a newer question calls off the older one ---- */

  let asking = new AbortController();

  const get = async (path, more) => {
    const answer = await fetch(`dashboard/api/${path}?${query(more)}`, { signal: asking.signal });
    if (answer.status === 401) location.assign("login");
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  };

  const groupsBy = (by) => get(`groups/${by}`);
  const arena = { source: "person" }; // whose votes, and on which questions
  const turnsBy = (order) => get("turns", { order, limit: 10 });

  /* ---- showing ---- */

  let last = null;

  const notice = (...children) => {
    at("notice").replaceChildren(...children);
    at("notice").hidden = children.length === 0;
  };

  const drawCharts = () => {
    if (!last?.days.length) return;
    const { from, to } = span();
    const keys = last.days.map((group) => group.key);
    charts.draw(at("charts"), last.days, from || keys[0], to || keys.at(-1), {
      texts,
      locale,
      short: figures.short,
    });
  };

  const render = () => {
    show.strengths(at("strengths"), last.arena);
    at("strengths").hidden = last.arena.models.length === 0;
    at("arena-note").textContent = last.arena.models.length ? texts.arena_hint : texts.no_votes;
    const some = last.summary.calls > 0;
    at("figures").hidden = !some;
    if (!some) {
      notice(
        tables.element("strong", { textContent: texts.empty_title }),
        tables.element("p", { className: "muted", textContent: texts.empty_hint }),
        tables.element("a", { className: "button", href: "./", textContent: texts.back }),
      );
      return;
    }
    notice();
    show.cards(at("cards"), last.summary);
    drawCharts();
    show.groups(at("groups"), chosen.by, last.groups, last.summary.calls);
    show.turns(at("turns"), last.turns, admin);
  };

  const trouble = () => {
    at("figures").hidden = true;
    const again = tables.element("button", { className: "button", type: "button", textContent: texts.again });
    again.addEventListener("click", () => load());
    notice(tables.element("strong", { textContent: texts.trouble }), again);
  };

  /** Fetches what `parts` name, or all, and shows it. */
  const load = async (...parts) => {
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    const wanted = {
      overview: () => get("days"),
      groups: () => groupsBy(chosen.by),
      turns: () => turnsBy(chosen.order),
      arena: () => get("strengths", arena),
    };
    const names = last && parts.length ? parts : Object.keys(wanted);
    remember();
    at("main").setAttribute("aria-busy", "true");
    try {
      const values = await Promise.all(names.map((name) => wanted[name]()));
      const { overview, ...rest } = Object.fromEntries(names.map((name, index) => [name, values[index]]));
      last = { ...last, ...overview, ...rest };
      render();
    } catch (error) {
      if (signal.aborted) return;
      console.error(error);
      trouble();
    }
    if (!signal.aborted) at("main").setAttribute("aria-busy", "false");
  };

  /* ---- choosing ---- */

  const tabs = (id, names, part) => {
    const buttons = names.map((name) => {
      const button = tables.element("button", { type: "button", textContent: texts[name] });
      button.dataset.tab = name;
      button.addEventListener("click", () => {
        chosen[id] = name;
        mark();
        load(part);
      });
      return button;
    });
    const mark = () => {
      for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.tab === chosen[id]));
    };
    at(id).replaceChildren(...buttons);
    mark();
  };

  const filters = () => {
    const KINDS = {
      source: ["person", "judge"],
      language: ["", "ru", "uk", "en"],
      topic: ["", "text", "code", "figures", "files"],
    };
    for (const [name, values] of Object.entries(KINDS)) {
      const select = at("arena-filters").elements[name];
      select.replaceChildren(...values.map((value) => new Option(texts[`${name}_${value || "any"}`], value)));
      select.addEventListener("change", () => {
        if (select.value) arena[name] = select.value;
        else delete arena[name];
        load("arena");
      });
    }
    at("arena-filters").addEventListener("submit", (event) => event.preventDefault());
  };

  const showDates = () => {
    at("dates").hidden = chosen.period !== "chosen_days";
    at("from").value = chosen.from;
    at("to").value = chosen.to;
  };

  for (const place of document.querySelectorAll("[data-text]")) place.textContent = texts[place.dataset.text];
  at("whose").textContent = admin ? texts.everybody : texts.own;
  at("period").replaceChildren(
    ...Object.keys(PERIODS).map((name) => new Option(texts[name], name, false, name === chosen.period)),
  );
  at("period").addEventListener("change", ({ target }) => {
    const before = span();
    chosen.period = target.value;
    if (chosen.period === "chosen_days") {
      chosen.from ||= before.from || localDay(29);
      chosen.to ||= before.to || localDay(0);
    }
    showDates();
    load();
  });
  for (const id of ["from", "to"]) {
    at(id).addEventListener("change", ({ target }) => {
      chosen[id] = target.value;
      if (chosen.from && chosen.to && chosen.from <= chosen.to) load();
    });
  }
  at("controls").addEventListener("submit", (event) => event.preventDefault());
  filters();
  tabs("by", DIMENSIONS, "groups");
  tabs("order", ORDERS, "turns");
  document.addEventListener("themechange", drawCharts);
  showDates();
  load();
})();
