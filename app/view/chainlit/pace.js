/* The words of an answer are drawn as quickly as the page can. To draw a long answer takes a while, in which
   nothing is heard that a person does; so what comes meanwhile is joined, and the page rests for as long as it
   drew. A short answer is drawn with every word that comes. In Chainlit's bundle, around what its socket does
   with words (markdown.py); all else that the socket brings finds them drawn. */
const konsiliumPaced = (socket, draw) => {
  "use strict";

  const QUICK = 60; // ms: that is no more than the frames that are waited for
  const MAX_REST = 2000; // ms
  const held = new Map();
  let resting = false;

  const flush = () => {
    for (const [id, words] of held) draw(id, words, false, false);
    held.clear();
  };
  /* In the second frame all is done: the first may come before the page has begun. One that nobody sees has none. */
  const frame = (act) => (document.hidden ? setTimeout(act) : requestAnimationFrame(() => setTimeout(act)));
  const whenDrawn = (act) => frame(() => frame(act));
  const next = () => {
    resting = held.size > 0;
    if (!resting) return;
    const began = performance.now();
    flush();
    whenDrawn(() => {
      const took = performance.now() - began;
      setTimeout(next, took > QUICK ? Math.min(took, MAX_REST) : 0);
    });
  };

  socket.onAny((event) => event === "stream_token" || flush());
  return ({ id, token, isSequence, isInput }) => {
    if (isSequence || isInput) {
      flush();
      draw(id, token, isSequence, isInput);
      return;
    }
    held.set(id, (held.get(id) ?? "") + token);
    if (!resting) next();
  };
};
