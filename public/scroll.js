/* The view ends where the answer ends. Chainlit scrolls when words come, but not when what stands under them
   is drawn a moment later (numbers, a council's steps, pictures), and takes that for a reader who has
   scrolled up. Here only a reader does that; and what they unfold themselves stays where it is. */
(() => {
  "use strict";

  const QUESTION = '[data-step-type="user_message"], .k-later'; // the latter: a turn that is not drawn
  const END_PX = 10; // as near to the end as Chainlit counts
  const UNFOLDING_MS = 1000;
  let view = null;
  let follows = true;
  let top = 0;
  let height = 0;
  let touched = -Infinity;
  let moved = -Infinity; // by somebody who may scroll up
  let read = false; // by somebody who scrolls

  const recent = (time) => performance.now() - time < UNFOLDING_MS;

  /* Under a short answer Chainlit keeps room, and offers a way down to it: not where there is nothing else. */
  const tellEnd = () => {
    const room = view.lastElementChild.getBoundingClientRect().top;
    view.toggleAttribute("data-at-end", room <= view.getBoundingClientRect().bottom + END_PX);
  };

  const grown = new ResizeObserver(() => {
    if (!view.querySelector(QUESTION)) {
      if (!read) view.scrollTop = 0; // a form or the first steps are read from their beginning
    } else if (follows) {
      /* Chainlit measures the room that it keeps below a short answer, and scrolls to the end where it has not
         yet heard that somebody has left it. */
      window.dispatchEvent(new Event("resize"));
      if (!recent(touched)) view.scrollTop = view.scrollHeight;
    }
    tellEnd();
  });
  const scrolled = () => {
    if (view.scrollTop + view.clientHeight >= view.scrollHeight - END_PX) follows = true;
    /* What is lower than was thought moves the view up, too: then only a reader who has just moved it. */
    else if (view.scrollTop < top && (view.scrollHeight >= height || recent(moved))) follows = false;
    top = view.scrollTop;
    height = view.scrollHeight;
    tellEnd();
  };
  let first = null; // of the messages; with the last of them goes the view
  const watch = (found) => {
    if (found === view) return;
    grown.disconnect();
    view?.removeEventListener("scroll", scrolled);
    view?.toggleAttribute("data-at-end", true); // nothing is left in it
    view = found;
    if (!view) return;
    [follows, read, top, height] = [true, false, 0, 0];
    view.addEventListener("scroll", scrolled);
    grown.observe(view.firstElementChild);
    grown.observe(view);
  };

  /* Who steps through versions stays where they do it, and who is led to a message there. */
  for (const act of ["konsilium-branch", "konsilium-seek"]) window.addEventListener(act, () => (follows = false));
  for (const act of ["pointerdown", "keydown"]) {
    document.addEventListener(act, ({ target }) => {
      if (view?.contains(target)) touched = performance.now();
    }, true);
  }
  /* By the wheel, a finger, the scroll bar, or keys; not who presses a button that makes the view lower. */
  const upward = ({ type, deltaY, key, target }) =>
    (type === "wheel" && deltaY < 0) || type === "touchmove" || (type === "pointerdown" && target === view) ||
    ["ArrowUp", "PageUp", "Home"].includes(key);
  for (const act of ["wheel", "touchmove", "pointerdown", "keydown"]) {
    document.addEventListener(act, (event) => {
      if (!view?.contains(event.target)) return;
      read = true;
      if (upward(event)) touched = moved = performance.now();
    }, { capture: true, passive: true });
  }
  const MESSAGE = "[data-step-type]";
  window.Konsilium.eachFrame(() => {
    if (!first || first.isConnected) return;
    first = document.querySelector(MESSAGE);
    watch(first?.closest(".overflow-y-auto") ?? null);
  });
  window.Konsilium.whenDrawn(MESSAGE, (message) => {
    first ??= message;
    if (first === message) watch(message.closest(".overflow-y-auto"));
  });
})();
