/* Formulas in Markdown: `\(…\)`, `\[…\]`, `$…$`, `$$…$$` and `\begin{…}…\end{…}`, as models write them. A plugin
   of remark's that stands in Chainlit's bundle in the place of its own (markdown.py), which knows dollars alone
   and takes two prices for a formula. The parser itself says what is code, a table's cell or a list's item. */
const konsiliumFormulas = (() => {
  "use strict";

  const DOLLAR = 36, OPEN = 40, CLOSE = 41, BACKSLASH = 92, OPEN_SQUARE = 91, CLOSE_SQUARE = 93;
  const ENDS_LINE = (code) => code === null || code < -2;
  const ENVIRONMENTS =
    /\\begin\{((?:equation|align|gather|alignat|CD|aligned|alignedat|gathered|split|cases|array|[pbBvV]?matrix)\*?)\}/y;

  const DISPLAYED = /^(?:\\\[|\$\$|\\begin\{(?:equation|align|gather|alignat|CD)\b)/; // the others stand within a line, too

  const GAP = /\n[ \t>]*\r?\n/g;
  const SIGN = /[\\^_={}]/;
  const PROSE = /\p{L}{2,}[.,:;!?]*\s+\p{L}{2,}/u;
  const PRICE = /^\d[\d.,]*\s[\d\s.,(–—-]*\p{L}{2,}/u; // `$5 to 10$`
  const FOOTNOTE = /^\d[\s\d,;–-]*$|^[xXхХ]$/; // `\[1\]`, `\[x\]`: brackets that were to be no link
  const SPACED = /^ (?=.*[A-Za-zΑ-ω\\])(?!\d[^\\^_=]*$).* $/; // `$ x $`, as some models write, on one line
  const NAMES = /\\[A-Za-z]+|\{[^{}]*\}/g;
  const isProse = (text) => PROSE.test(text) && !SIGN.test(text);

  /* Whether the text between these marks is a formula, and not an amount of money, a variable of a shell or
     words in brackets. `next` is the character after it. */
  function isFormula(mark, text, next = "") {
    if (!/[\p{L}\p{N}\\]/u.test(text) || isProse(text)) return false;
    switch (mark) {
      case "$":
        if (/^\s|\s$/.test(text) && (!SPACED.test(text) || /\p{L}{2,}|&&/u.test(text.replace(NAMES, "")))) return false;
        return !/\n[^\n]*\n/.test(text) && !PRICE.test(text) && !/[A-Za-z0-9_({$]/.test(next);
      case "$$":
        return !(/^\s+\p{L}{2,}\s+$/u.test(text));
      case "\\[":
        return !FOOTNOTE.test(text) && !/[(+*?{]/.test(next); // a link, a pattern: `\[a-z\]+`
      default:
        return true;
    }
  }

  /* Where the mark stands next, as no part of an escape; -1 where it does not. */
  function find(source, mark, from) {
    for (let at = from; at < source.length; at++) {
      if (source.startsWith(mark, at)) return at;
      if (source[at] === "\\") at++;
    }
    return -1;
  }

  /* The same for places that follow each other: what is not closed is looked for once, not from each mark. */
  function finder(source) {
    const known = new Map();
    return (mark, from) => {
      const before = known.get(mark);
      if (before && from >= before.from && (before.at < 0 || from <= before.at)) return before.at;
      const at = find(source, mark, from);
      known.set(mark, { from, at });
      return at;
    };
  }

  /* What begins at this place of the source, at the beginning of a line, and takes lines for itself: where it
     ends, and whether that is still on its way (`\[` of an answer that is being written). */
  function block({ source, next }, from, indent) {
    ENVIRONMENTS.lastIndex = from;
    const environment = ENVIRONMENTS.exec(source);
    const opening = environment?.[0] ?? source.slice(from, from + 2);
    if (!environment && opening !== "\\[" && opening !== "$$") return null;
    if (opening === "$$" && source[from + 2] === "$") return null;
    const closing = environment ? `\\end{${environment[1]}}` : opening === "$$" ? "$$" : "\\]";
    const start = from + opening.length;
    const at = next(closing, start);
    if (at < 0) {
      const line = source.indexOf("\n", start);
      const first = source.slice(start, Math.max(line, start));
      const begun = line >= 0 && (environment || !first.trim() || SIGN.test(first));
      GAP.lastIndex = start;
      return begun && !GAP.test(source) ? { end: source.length, pending: true } : null;
    }
    const text = source.slice(start, at);
    const lines = text.split("\n");
    GAP.lastIndex = 0;
    const gap = GAP.test(text);
    if (lines.length === 1 && !environment) return null; // the text of a paragraph: read as such
    const alone = !lines[0].trim() && !lines.at(-1).replaceAll(">", "").trim();
    if (gap && !(alone || environment)) return null;
    if (lines.some((line) => /^[ \t>]*(```|~~~)/.test(line))) return null;
    if (lines.slice(1).some((line) => line.trim() && /^[ \t>]*/.exec(line)[0].length < indent)) return null;
    if (!environment && !alone && !isFormula(opening, text)) return null;
    const end = at + closing.length;
    const [rest] = /.*/.exec(source.slice(end));
    return { end: /^[.,;:]\s*$/.test(rest) ? end + 1 : end, pending: false };
  }

  /* Within a line a formula has a token of its own: by them the parser shares a text out to its lines, and
     where there was none it went round for ever. */
  const PIECE = "formulaPiece";
  const acrossLine = (effects, then) => (code) => {
    effects.exit(PIECE);
    effects.enter("lineEnding");
    effects.consume(code);
    effects.exit("lineEnding");
    return (next) => {
      effects.enter(PIECE);
      return then(next);
    };
  };

  function dollars(effects, ok, nok) {
    const self = this;
    let size = 0, closed = 0, from, to;
    return (code) => {
      effects.enter("formula");
      effects.enter(PIECE);
      return opening(code);
    };
    function opening(code) {
      if (code === DOLLAR) {
        size++;
        effects.consume(code);
        return opening;
      }
      if (size > 2) return nok(code);
      from = self.now();
      return inside(code);
    }
    function inside(code) {
      if (code === null) return nok(code);
      if (code === DOLLAR) {
        to = self.now();
        return closing(code);
      }
      if (ENDS_LINE(code)) return acrossLine(effects, inside)(code);
      effects.consume(code);
      return code === BACKSLASH ? escaped : inside;
    }
    function escaped(code) {
      if (ENDS_LINE(code)) return inside(code);
      effects.consume(code);
      return inside;
    }
    function closing(code) {
      if (code === DOLLAR) {
        closed++;
        effects.consume(code);
        return closing;
      }
      const text = self.sliceSerialize({ start: from, end: to });
      const next = code > 0 ? String.fromCharCode(code) : "";
      if (closed !== size || !isFormula("$".repeat(size), text, next)) return nok(code);
      effects.exit(PIECE);
      effects.exit("formula");
      return ok(code);
    }
  }

  /* `5$`, `US$`: a price, no beginning of a formula. */
  const afterNoWord = (code) => !(code > 0 && /[A-Za-z0-9_$]/.test(String.fromCharCode(code)));

  function brackets(effects, ok, nok) {
    const self = this;
    let square = false, from, to;
    return (code) => {
      effects.enter("formula");
      effects.enter(PIECE);
      effects.consume(code);
      return opening;
    };
    function opening(code) {
      if (code !== OPEN && code !== OPEN_SQUARE) return nok(code);
      square = code === OPEN_SQUARE;
      effects.consume(code);
      from = self.now();
      return inside;
    }
    function inside(code) {
      if (code === null) return nok(code);
      if (ENDS_LINE(code)) return acrossLine(effects, inside)(code);
      if (code === BACKSLASH) to = self.now();
      effects.consume(code);
      return code === BACKSLASH ? escaped : inside;
    }
    function escaped(code) {
      if (ENDS_LINE(code)) return inside(code);
      if (code === (square ? OPEN_SQUARE : OPEN)) return nok(code);
      effects.consume(code);
      return code === (square ? CLOSE_SQUARE : CLOSE) ? closed : inside;
    }
    function closed(code) {
      const text = self.sliceSerialize({ start: from, end: to });
      const next = code > 0 ? String.fromCharCode(code) : "";
      if (!isFormula(square ? "\\[" : "\\(", text, next)) return nok(code);
      effects.exit(PIECE);
      effects.exit("formula");
      return ok(code);
    }
  }

  /* `\begin{…}…\end{…}` among words. */
  const within = (state) => function (effects, ok, nok) {
    const self = this;
    let end;
    return (code) => {
      ENVIRONMENTS.lastIndex = self.now().offset;
      const opened = ENVIRONMENTS.exec(state.source);
      const closing = opened && `\\end{${opened[1]}}`;
      const at = opened ? state.next(closing, ENVIRONMENTS.lastIndex) : -1;
      if (at < 0) return nok(code);
      end = at + closing.length;
      effects.enter("formula");
      effects.enter(PIECE);
      return inside(code);
    };
    function inside(code) {
      if (self.now().offset >= end) {
        effects.exit(PIECE);
        effects.exit("formula");
        return ok(code);
      }
      if (code === null) return nok(code);
      if (ENDS_LINE(code)) return acrossLine(effects, inside)(code);
      effects.consume(code);
      return inside;
    }
  };

  /* `\(` and `\[` whose end has not come (yet) stay as they are: as escapes they would lose their backslash. */
  const unclosed = (state) => function (effects, ok, nok) {
    const self = this;
    let opened;
    return (code) => {
      effects.enter("formulaMark");
      effects.consume(code);
      return (next) => {
        if (next !== OPEN && next !== OPEN_SQUARE) return nok(next);
        opened = next;
        effects.consume(next);
        effects.exit("formulaMark");
        return effects.check({ tokenize: closes, partial: true }, nok, ok);
      };
    };
    /* How far the text goes is seen but once: `reach` is what was seen of it, up to its end or to a mark. */
    function closes(effects, ok, nok) {
      const from = self.now().offset;
      const at = state.next(opened === OPEN ? "\\)" : "\\]", from);
      return (code) => {
        const { start, end, whole } = state.reach;
        if (at < 0) return nok(code);
        if (from >= start && from <= end && (at < end || whole)) return at < end ? ok(code) : nok(code);
        effects.enter("formulaMark");
        return inside(code);
      };
      function seen(whole) {
        state.reach = { start: from, end: self.now().offset, whole };
      }
      function inside(code) {
        if (code === null) {
          seen(true);
          return nok(code);
        }
        if (self.now().offset > at) {
          seen(false);
          effects.exit("formulaMark");
          return ok(code);
        }
        effects.consume(code);
        return inside;
      }
    }
  };

  const sameContainer = {
    partial: true,
    tokenize(effects, ok, nok) {
      const self = this;
      return (code) => {
        if (code === null) return nok(code);
        effects.enter("lineEnding");
        effects.consume(code);
        effects.exit("lineEnding");
        return (next) => (self.parser.lazy[self.now().line] ? nok(next) : ok(next));
      };
    },
  };

  const blocks = (state) => ({
    name: "formulaBlock",
    concrete: true,
    tokenize(effects, ok, nok) {
      const self = this;
      let found;
      return (code) => {
        const tail = self.events.at(-1);
        const prefix = tail?.[1].type === "linePrefix" ? tail[2].sliceSerialize(tail[1], true).length : 0;
        const { offset, column } = self.now();
        found = block(state, offset, column - 1 - prefix);
        if (found === null) return nok(code);
        effects.enter(found.pending ? "formulaPending" : "formulaBlock");
        return self.interrupt ? ok(code) : line(code);
      };
      function line(code) {
        if (code === null || self.now().offset >= found.end) return after(code);
        if (ENDS_LINE(code)) return effects.check(sameContainer, next, after)(code);
        effects.enter("formulaLine"); // each line has a token: the parser shares them out by lines
        return inside(code);
      }
      function inside(code) {
        if (ENDS_LINE(code) || self.now().offset >= found.end) {
          effects.exit("formulaLine");
          return line(code);
        }
        effects.consume(code);
        return inside;
      }
      function next(code) {
        effects.enter("lineEnding");
        effects.consume(code);
        effects.exit("lineEnding");
        return line;
      }
      function after(code) {
        effects.exit(found.pending ? "formulaPending" : "formulaBlock");
        return blank(code);
      }
      function blank(code) {
        if (code === 32 || code === -2 || code === -1) {
          effects.enter("whitespace");
          effects.consume(code);
          effects.exit("whitespace");
          return blank;
        }
        if (ENDS_LINE(code)) return ok(code);
        effects.enter("paragraph");
        effects.enter("chunkText", { contentType: "text" });
        return rest(code);
      }
      function rest(code) {
        if (!ENDS_LINE(code)) {
          effects.consume(code);
          return rest;
        }
        effects.exit("chunkText");
        effects.exit("paragraph");
        return ok(code);
      }
    },
  });

  const syntax = (state) => {
    const flow = blocks(state);
    return {
      flow: { [DOLLAR]: flow, [BACKSLASH]: flow },
      text: {
        [DOLLAR]: { name: "formula", tokenize: dollars, previous: afterNoWord },
        [BACKSLASH]: [
          { name: "formula", tokenize: brackets },
          { name: "formula", tokenize: within(state) },
          { name: "formulaMark", tokenize: unclosed(state) },
        ],
      },
    };
  };

  /* The formula without its marks. In a table's cell `\|` is `|`. */
  function content(raw, inTable) {
    const [, opening] = /^(\\\(|\\\[|\$\$?|)/.exec(raw);
    const [, dot] = /([.,;:]?)$/.exec(raw);
    const inner = opening ? raw.slice(opening.length, raw.length - dot.length - opening.length).trim() + dot : raw;
    return inTable ? inner.replaceAll("\\|", "|") : inner;
  }

  const element = (text, className) => ({
    type: "element",
    tagName: "code",
    properties: { className: ["language-math", className] },
    children: [{ type: "text", value: text }],
  });

  const tree = {
    enter: {
      formula(token) {
        this.enter({ type: "inlineMath", value: "", data: {} }, token);
      },
      formulaBlock(token) {
        this.enter({ type: "math", value: "", data: {} }, token);
      },
      formulaPending(token) {
        this.enter({ type: "paragraph", children: [] }, token);
      },
      formulaMark(token) {
        this.config.enter.data.call(this, token);
      },
    },
    exit: {
      formula(token) {
        const raw = this.sliceSerialize(token);
        const node = this.stack.at(-1);
        node.value = content(raw, this.data.inTable);
        const drawn = element(node.value, DISPLAYED.test(raw) ? "math-display" : "math-inline");
        node.data = { hName: "code", hProperties: drawn.properties, hChildren: drawn.children };
        this.exit(token);
      },
      formulaBlock(token) {
        const node = this.stack.at(-1);
        node.value = content(this.sliceSerialize(token), false).trim();
        node.data = { hName: "pre", hChildren: [element(node.value, "math-display")] };
        this.exit(token);
      },
      formulaPending(token) {
        this.stack.at(-1).children = [{ type: "text", value: this.sliceSerialize(token) }];
        this.exit(token);
      },
      formulaMark(token) {
        this.config.exit.data.call(this, token);
      },
    },
  };

  /* Quotes and lists in each other: a model that repeats `>` or `- ` nests a thousand deep, and the page that
     draws that falls. Beyond MAX_DEPTH the marks of a line stand as they are written. */
  const MAX_DEPTH = 200;
  const TOO_DEEP = new RegExp(`^((?:[ \\t]*(?:>|[-+*](?=[ \\t])|\\d{1,9}[.)](?=[ \\t]))){${MAX_DEPTH}}[ \\t]*)(?=[-+*>\\d].*[^-+*\\s])`, "gm");
  const shallow = (text) => text.replace(TOO_DEEP, "$1\\");

  /* `<br>`, the one way to another line in a cell: of all HTML it alone is drawn and not shown as it is written. */
  const breaks = (root) => {
    const nodes = [root];
    for (const node of nodes) {
      if (node.type === "html" && /^<br\s*\/?>$/i.test(node.value)) Object.assign(node, { type: "line", data: { hName: "br" }, value: undefined });
      if (node.children) nodes.push(...node.children);
    }
  };

  return function formulas() {
    const data = this.data();
    const state = {};
    const parse = this.parser;
    this.parser = (document, file) => {
      const source = shallow(String(document));
      Object.assign(state, { source, next: finder(source), reach: { start: 0, end: -1, whole: false } });
      return parse(source, file);
    };
    (data.micromarkExtensions ??= []).push(syntax(state));
    (data.fromMarkdownExtensions ??= []).push(tree);
    return breaks;
  };
})();
