/* Conversations of a thousand messages. In Chainlit's bundle, in place of what looked through all messages, or
   all elements, for each of them (long_threads.py): a turn is drawn in full where it is looked at, and the words
   of the others stand there to be read, found and copied. */
const konsiliumLong = (() => {
  "use strict";

  const PART = 20; // messages that are words alone, or not, together; so few are all drawn
  const TEXTS = {
    ru: { question: "Вопрос", answer: "Ответ" },
    uk: { question: "Запитання", answer: "Відповідь" },
    en: { question: "Question", answer: "Answer" },
  };

  // ---- what is made once ----------------------------------------------------------------------

  /** `make(key)`, which is asked once for each key. */
  const once = (make) => {
    const made = new Map();
    return (key) => {
      if (!made.has(key)) made.set(key, make(key));
      return made.get(key);
    };
  };

  /** The function of that code, whose parameters are called so. */
  const compiledBy = once((text) => once((names) => new Function(...names.split(","), text)));
  const compiled = (names, text) => compiledBy(text)(names.join());

  /* The code of elements by their names, or that it is on its way. */
  const codes = new Map();
  const code = (name) => (typeof codes.get(name) === "string" ? codes.get(name) : undefined);
  const fetched = async (name, client) => {
    if (!codes.has(name)) {
      const coming = client.get(`/public/elements/${name}.jsx`).then((answer) => answer.text());
      codes.set(name, coming);
      coming.then((text) => codes.set(name, text), () => codes.delete(name));
    }
    return codes.get(name);
  };

  // ---- what belongs to a message --------------------------------------------------------------

  /* The elements of each message, in each list of all elements. */
  const shelves = new WeakMap();
  const NONE = [];
  const own = (elements, id) => {
    if (!shelves.has(elements)) shelves.set(elements, Map.groupBy?.(elements, ({ forId }) => forId) ?? grouped(elements));
    return shelves.get(elements).get(id) ?? NONE;
  };
  const grouped = (elements) => {
    const groups = new Map();
    for (const element of elements) groups.set(element.forId, [...(groups.get(element.forId) ?? []), element]);
    return groups;
  };
  /** Whether nothing that hangs on that message is another. */
  const same = (before, after, id) => {
    if (before === after) return true;
    const [one, other] = [own(before, id), own(after, id)];
    return one.length === other.length && one.every((element, at) => element === other[at]);
  };

  let ends = true; // whether the last message that is here is the last there is

  /** Steps that came in order, each after its parent, as the tree that the page draws. */
  const nested = (steps) => {
    ends = true;
    const known = new Map();
    const roots = [];
    for (const step of steps) {
      if (known.has(step.id)) {
        Object.assign(known.get(step.id), step);
        continue;
      }
      const added = { ...step };
      known.set(step.id, added);
      const parent = known.get(step.parentId);
      if (!step.parentId) roots.push(added);
      else if (parent) (parent.steps ??= []).push(added);
    }
    return roots;
  };

  // ---- another branch -------------------------------------------------------------------------

  const idsOf = (steps) => steps.flatMap((step) => [step.id, ...idsOf(step.steps ?? [])]);
  /** What came, but for what was there already just so: that need not be drawn again. */
  const kept = (before, after) => {
    const known = new Map(before.map((one) => [one.id, one]));
    const same = (one) => JSON.stringify(known.get(one.id)) === JSON.stringify(one);
    return after.map((one) => (known.has(one.id) && same(one) ? known.get(one.id) : one));
  };

  const heard = new Set(); // the ids of questions that came to this page one by one: edited ones, Continue
  /** Whether a question was asked on this page, and nobody has begun to answer it: not one that the database
      has without an answer. The page gives its own messages no thread. */
  const waits = ({ id, type, threadId, steps }) =>
    type === "user_message" && !steps?.length && (!threadId || heard.has(id));

  /** What to do with a part of a branch: it stands in the place of all from the question `cut` on, and there is
      `more` to come; a page that does not show that one is sent its thread again. A question that was asked just
      now, and that nobody has begun to answer, stays. What is different since a question was `asked` elsewhere is
      nobody's step through versions. */
  const branch = (setMessages, setElements, socket) => {
    socket.on("new_message", ({ id, type }) => type === "user_message" && heard.add(id));
    return ({ cut, steps, elements, more, asked }) => {
      if (!asked) window.dispatchEvent(new Event("konsilium-branch"));
      let gone = null;
      setMessages((shown) => {
        const from = shown.findIndex((message) => message.id === cut);
        if (from === -1) return shown;
        const came = new Set(steps.map(({ id }) => id));
        const waiting = shown.slice(from).filter((one) => waits(one) && !came.has(one.id));
        gone = new Set(idsOf(shown.slice(from).filter((one) => !waiting.includes(one))));
        return [...shown.slice(0, from), ...kept(shown.slice(from), nested(steps)), ...waiting];
      });
      ends = !more;
      if (!gone) return socket.emit("window_message", { konsilium: { event: "reopen" } });
      setElements((all) => {
        const fresh = new Set(elements.map(({ id }) => id));
        const stays = ({ id, forId }) => !gone.has(forId) && !fresh.has(id);
        return [...all.filter(stays), ...kept(all, elements)];
      });
    };
  };

  // ---- what is drawn where it is looked at ----------------------------------------------------

  const spoken = (messages) =>
    messages.flatMap((one) => [...(one.type.includes("message") ? [one] : []), ...spoken(one.steps ?? [])]);
  const linesOf = (text) => text.split("\n").reduce((lines, line) => lines + 1 + Math.floor(line.length / 90), 0);
  /** About as high as those messages are once they are drawn. */
  const height = (said) => {
    const lines = said.reduce((sum, { output }) => sum + linesOf(output ?? ""), 0);
    return { containIntrinsicHeight: `auto ${said.length * 4.5 + lines * 1.75}rem` };
  };

  /* The places of what is not drawn: its messages, and what draws it. */
  const waiting = new Map();
  let view = null;
  let watched = null;
  const within = ({ top, bottom }) => {
    const edges = view?.getBoundingClientRect() ?? { top: 0, bottom: window.innerHeight };
    return bottom > edges.top && top < edges.bottom;
  };
  const come = (react) => (entries) => {
    const near = entries.filter(({ isIntersecting }) => isIntersecting);
    const act = ({ target }) => waiting.get(target)?.draw();
    const seen = near.filter(({ boundingClientRect }) => within(boundingClientRect));
    seen.forEach(act);
    react.startTransition(() => near.filter((one) => !seen.includes(one)).forEach(act)); // the page stays free
  };
  const wait = (react, place, messages, draw) => {
    const found = place.closest(".overflow-y-auto");
    if (!watched || found !== view) {
      watched?.disconnect();
      view = found;
      watched = new IntersectionObserver(come(react), { root: view, rootMargin: "100% 0px" });
    }
    if (within(place.getBoundingClientRect())) return draw();
    waiting.set(place, { messages, draw });
    watched.observe(place);
    return () => {
      waiting.delete(place);
      watched.unobserve(place);
    };
  };

  /* Whoever wants to be led to a message finds its place. */
  window.addEventListener("konsilium-seek", ({ detail }) => {
    for (const { messages, draw } of waiting.values()) if (idsOf(messages).includes(detail)) draw();
  });

  /* The words of messages in the place of what is not drawn: as one text, or of each message its own, with
     its id. */
  const wordsBy = once((react) => {
    const { createElement, memo, useLayoutEffect, useRef } = react;
    const own = ({ id, type, output }) => {
      const text = TEXTS[document.documentElement.lang.slice(0, 2)] ?? TEXTS.en;
      const label = type === "user_message" ? text.question : text.answer;
      const said = { key: id, id: `step-${id}`, role: "group", "aria-label": label, "data-k-said": type };
      return createElement("div", said, output);
    };
    const Words = ({ messages, alone, draw }) => {
      const place = useRef(null);
      useLayoutEffect(() => wait(react, place.current, messages, draw), [messages]);
      const said = spoken(messages);
      const words = alone ? said.map(own) : said.map(({ output }) => output).join("\n\n");
      return createElement("div", { ref: place, className: "k-later", style: height(said) }, words);
    };
    return memo(Words, ({ messages: before }, { messages: after }) =>
      before.length === after.length && before.every((message, at) => message === after[at]));
  });

  /** A component that is `draw(props)` where it is near what is looked at, or the `last`; elsewhere the words of
      its `messages` stand in its place. */
  const later = (react, alone, draw) => ({ messages, last, ...props }) => {
    const [drawn, setDrawn] = react.useState(last);
    if (last && !drawn) setDrawn(true);
    if (drawn) return draw({ messages, ...props });
    return react.createElement(wordsBy(react), { messages, alone, draw: () => setDrawn(true) });
  };

  /* A conversation is parts, and a part is turns. */
  const partBy = once((react) => later(react, false, ({ messages, draw }) => messages.map(draw)));
  const turnBy = once((Drawn) =>
    once((react) => later(react, true, ({ messages: [message], ...props }) => react.createElement(Drawn, { message, ...props }))),
  );

  /** The component that draws what begins with a question by `Drawn`. */
  const turn = (react, Drawn) => turnBy(Drawn)(react);
  /** Messages that follow each other, by `draw(message, whether it is always drawn)`: the last is, since it may be
      being written, and all of a conversation that is not long. */
  const list = (react, messages, draw) => {
    if (!messages.length || messages[0].parentId) return messages.map((message) => draw(message, true));
    const parts = [];
    const always = ends ? (messages.length > PART ? messages.length - 1 : 0) : NaN;
    for (let start = 0; start < messages.length; start += PART) {
      const end = start + PART;
      const drawOne = (message, at) => draw(message, start + at >= always);
      const props = { messages: messages.slice(start, end), last: end > always, draw: drawOne };
      parts.push(react.createElement(partBy(react), { key: start, ...props }));
    }
    return parts;
  };

  return { once, compiled, code, fetched, own, same, nested, branch, turn, list };
})();
