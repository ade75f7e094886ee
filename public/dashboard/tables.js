/* The cards with the period's figures, and the two tables. */
(() => {
  "use strict";

  const element = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children.filter((child) => child !== null));
    return made;
  };

  const sum = (...values) => {
    const known = values.filter((value) => value !== null);
    return known.length ? known.reduce((a, b) => a + b) : null;
  };

  const cacheHits = (s) => s.cache_exact + s.cache_near + s.cache_taken;

  /** `say` has the reader's texts and the formats of the chat. */
  const maker = (say) => {
    const { texts, number, count, money, seconds, speed, percent, DASH } = say;
    const brief = (value) => (value !== null && value >= 1_000_000 ? say.short(value) : count(value));
    const said = (name, value) => `${texts[name]}: ${value}`;
    const share = (part, whole) => (whole ? percent(part / whole) : DASH);

    /* Each card: its title, the figure as it is, as it is shown, and what stands below. */
    const CARDS = [
      ["calls", "requests", (s) => s.calls, count, (s) => [said("questions", count(s.turns))]],
      [
        "tokens",
        "tokens",
        (s) => sum(s.input_tokens, s.output_tokens),
        brief,
        (s) => [
          said("tokens_in", brief(s.input_tokens)),
          said("tokens_out", brief(s.output_tokens)),
          s.cached_tokens ? said("tokens_cached", brief(s.cached_tokens)) : null,
        ],
      ],
      [
        "cost_rub",
        "cost",
        (s) => s.cost_rub,
        money,
        (s) => [s.unpriced ? said("unpriced", count(s.unpriced)) : null],
      ],
      ["tokens_per_second", "speed", (s) => s.tokens_per_second, speed, () => []],
      ["first_token_median_s", "first_token", (s) => s.first_token_median_s, seconds, () => [texts.median]],
      ["first_token_p95_s", "first_token", (s) => s.first_token_p95_s, seconds, () => [texts.percentile_95]],
      ["failed", "failed", (s) => s.failed, count, (s) => [said("of_requests", share(s.failed, s.calls))]],
      ["stopped", "stopped", (s) => s.stopped, count, (s) => [said("of_requests", share(s.stopped, s.calls))]],
      [
        "cache",
        "cache_hits",
        cacheHits,
        brief,
        (s) => [
          said("exact", count(s.cache_exact)),
          said("near", count(s.cache_near)),
          s.cache_taken ? said("taken", count(s.cache_taken)) : null,
          s.cache_missed ? said("missed", count(s.cache_missed)) : null,
          s.saved_rub === null ? null : said("spared", money(s.saved_rub)),
        ],
      ],
      [
        "parallel",
        "parallel",
        (s) => s.parallel,
        brief,
        (s) => [said("at_once", s.most_parallel === null ? DASH : count(s.most_parallel))],
      ],
      ["streaming", "streaming", (s) => s.streaming, count, (s) => [said("of_requests", share(s.streaming, s.calls))]],
      [
        "saved_by_compression",
        "saved",
        (s) => s.saved_by_compression,
        brief,
        (s) => [said("saved_cache", brief(s.saved_by_cache))],
      ],
    ];

    const cards = (place, summary) =>
      place.replaceChildren(
        ...CARDS.map(([id, title, value, shown, below]) => {
          const raw = value(summary);
          const figure = element("strong", { textContent: shown(raw) });
          figure.classList.toggle("long", figure.textContent.length > 10);
          figure.dataset.figure = id;
          figure.dataset.value = raw ?? "";
          if (typeof raw === "number") figure.title = number(raw, Number.isInteger(raw) ? 0 : 3);
          const notes = below(summary).filter((note) => note !== null);
          return element(
            "article",
            { className: "card" },
            element("span", { className: "muted", textContent: texts[title] }),
            figure,
            element("small", { className: "muted", textContent: notes.join("\n") }),
          );
        }),
      );

    const nameOf = (by, group) => {
      if (by === "day") return say.day(group.key);
      if (by === "user") return group.label ?? (group.key || texts.nobody);
      if (by === "mode") return say.mode(group.key);
      return group.key;
    };

    const NUMBERS = [
      ["requests", (s) => count(s.calls)],
      ["tokens_in", (s) => count(s.input_tokens)],
      ["tokens_out", (s) => count(s.output_tokens)],
      ["cost", (s) => money(s.cost_rub)],
      ["speed", (s) => speed(s.tokens_per_second)],
      ["median", (s) => seconds(s.first_token_median_s)],
      ["percentile_95", (s) => seconds(s.first_token_p95_s)],
      ["failed", (s) => count(s.failed)],
      ["stopped", (s) => count(s.stopped)],
      ["cache_hits", (s) => count(cacheHits(s))],
      ["saved", (s) => count(s.saved_by_compression)],
    ];
    const LONG = { tokens_in: "tokens", tokens_out: "tokens", median: "first_token", percentile_95: "first_token" };
    const heading = (name) => (LONG[name] ? `${texts[LONG[name]]}, ${texts[name].toLowerCase()}` : texts[name]);

    const table = (place, headings, rows) => {
      const head = element("thead", {}, element("tr", {}, ...headings.map((text) => element("th", { textContent: text }))));
      place.replaceChildren(head, element("tbody", {}, ...rows));
    };

    const cell = (label, content, className = "") => {
      const made = element("td", { className }, content);
      made.dataset.label = label;
      return made;
    };

    const groups = (place, by, found, total) =>
      table(
        place,
        [texts[by], ...NUMBERS.map(([name]) => heading(name))],
        found.map((group) => {
          const part = total ? group.summary.calls / total : 0;
          const bar = element("span", { className: "share", title: said("share", percent(part)) });
          bar.style.setProperty("--share", part);
          const name = element("span", { className: "name", textContent: nameOf(by, group) });
          const row = element(
            "tr",
            {},
            cell(texts[by], element("div", {}, name, bar), "first"),
            ...NUMBERS.map(([title, value]) => cell(heading(title), value(group.summary))),
          );
          row.dataset.key = group.key;
          return row;
        }),
      );

    const conversation = (turn) => {
      if (turn.thread_id) {
        const link = `thread/${encodeURIComponent(turn.thread_id)}`;
        return element("a", { className: "name", href: link, textContent: turn.title || texts.untitled });
      }
      const text = turn.own ? texts.deleted : texts.of_another;
      return element("span", { className: "name muted", textContent: text });
    };

    const turns = (place, found, admin) => {
      const columns = [
        ["conversation", conversation, "first"],
        ["model", (turn) => element("span", { className: "name", textContent: turn.model })],
        ["mode", (turn) => say.mode(turn.mode)],
        ...(admin ? [["user", (turn) => turn.user ?? texts.nobody]] : []),
        ["duration", (turn) => seconds(turn.seconds)],
        ["tokens", (turn) => count(sum(turn.input_tokens, turn.output_tokens))],
        ["cost", (turn) => money(turn.cost_rub)],
        ["when", (turn) => say.moment(turn.started_at)],
      ];
      table(
        place,
        columns.map(([name]) => texts[name]),
        found.map((turn) => {
          const cells = columns.map(([name, value, className]) => cell(texts[name], value(turn), className));
          const row = element("tr", {}, ...cells);
          row.dataset.turn = turn.turn_id;
          return row;
        }),
      );
    };

    /* A model without enough votes has words in place of a number. */
    const strengthOf = (one) => {
      if (one.strength === null) return element("span", { className: "muted", textContent: texts.few_votes });
      const interval = `${count(one.low)}–${count(one.high)}`;
      return element(
        "span",
        {},
        element("b", { textContent: count(one.strength) }),
        element("small", { className: "muted", textContent: ` ${interval}`, title: texts.interval }),
      );
    };

    const strengths = (place, arena) => {
      const columns = [
        ["model", (one) => element("span", { className: "name", textContent: one.model }), "first"],
        ["strength", strengthOf],
        ["votes", (one) => count(one.votes)],
        ["won", (one) => count(one.won)],
        ["drawn", (one) => count(one.drawn)],
        ["lost", (one) => count(one.lost)],
        ["answer_seconds", (one) => seconds(one.seconds)],
        ["answer_cost", (one) => money(one.cost_rub)],
      ];
      table(
        place,
        columns.map(([name]) => texts[name]),
        arena.models.map((one) => {
          const cells = columns.map(([name, value, className]) => cell(texts[name], value(one), className));
          const row = element("tr", {}, ...cells);
          row.dataset.model = one.model;
          return row;
        }),
      );
    };

    return { cards, groups, strengths, turns };
  };

  window.DashboardTables = Object.freeze({ maker, element });
})();
