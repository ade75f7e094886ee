/* An answer is read aloud by a button beside its copying, which also ends that: by a server where one does
   (the app said so), else by the browser's own voice. Code, numbers and buttons are not read. Where there is no
   voice at all, there is no button. */
(() => {
  "use strict";

  const TEXTS = {
    ru: { speaker: "Прочитать вслух", stop: "Остановить чтение" },
    uk: { speaker: "Прочитати вголос", stop: "Зупинити читання" },
    en: { speaker: "Read aloud", stop: "Stop reading" },
  };
  const K = window.Konsilium;
  const speech = window.speechSynthesis;
  let served = false;
  const offered = () => served || Boolean(speech?.getVoices().length);

  const SHORT = 220; // characters: some of the browsers' voices fall silent in a longer piece
  const LONG = 1200; // a server's sound of so much is there before the one before it ends

  const languageOf = (words) => (/[іїєґ]/i.test(words) ? "uk-UA" : /[а-яё]/i.test(words) ? "ru-RU" : "en-US");
  const wordsOf = (answer) =>
    [...answer.querySelectorAll(".message-content .prose")]
      .map((prose) => {
        const said = prose.cloneNode(true);
        for (const silent of said.querySelectorAll(".k-code-tools, .k-preview, .bg-card:has(code), pre, .katex-mathml, button, sup")) silent.remove();
        for (const block of said.querySelectorAll("p, li, h1, h2, h3, h4, td, th, [role=article]")) block.append("\n");
        return said.textContent;
      })
      .join("\n");
  /* Sentence after sentence; what is longer is cut at a blank. */
  const pieces = (words) =>
    words
      .split(/(?<=[.!?…])\s+|\n+/)
      .flatMap((sentence) => sentence.match(new RegExp(`.{1,${SHORT}}(?:\\s|$)|\\S{1,${SHORT}}`, "g")) ?? [])
      .map((piece) => piece.trim())
      .filter(Boolean);
  /* A server is asked for few pieces; the first is one sentence, so that it is heard soon. */
  const joined = (all) => {
    const made = all.slice(0, 1);
    for (const piece of all.slice(1)) {
      if (made.length > 1 && made.at(-1).length + piece.length < LONG) made[made.length - 1] += `\n${piece}`;
      else made.push(piece);
    }
    return made;
  };

  let reading = null; // { button, end }: the answer that is being read
  const face = (button, name) => {
    button.replaceChildren(K.icon(name));
    K.label(button, K.words(document.documentElement.lang.slice(0, 2), TEXTS)[name]);
  };
  const stop = () => {
    const { button, end } = reading ?? {};
    reading = null;
    if (button) face(button, "speaker");
    end?.();
    speech?.cancel();
  };

  const fetched = async (text) => {
    const body = JSON.stringify({ text });
    const answer = await fetch(`${K.root}chat/speech`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (!answer.ok) throw new Error(`no sound: ${answer.status}`);
    return answer.blob();
  };
  const played = (sound, mine) =>
    new Promise((done, failed) => {
      const audio = new Audio(URL.createObjectURL(sound));
      audio.onended = mine.end = () => {
        audio.pause();
        URL.revokeObjectURL(audio.src);
        done();
      };
      audio.onerror = () => failed(new Error("the sound cannot be played"));
      audio.play().catch(failed);
    });
  const speak = (all, language, mine) => {
    all.forEach((piece, place) => {
      const said = Object.assign(new SpeechSynthesisUtterance(piece), { lang: language });
      if (place === all.length - 1) said.onend = () => reading === mine && stop();
      speech.speak(said);
    });
  };

  const read = async (button) => {
    stop();
    const words = wordsOf(button.closest("[data-step-type]"));
    let left = pieces(words);
    if (!left.length) return;
    const mine = { button, end: () => {} };
    reading = mine;
    face(button, "stop");
    if (served) {
      left = joined(left);
      let next = fetched(left[0]);
      try {
        while (left.length && reading === mine) {
          const sound = await next;
          next = left.length > 1 ? fetched(left[1]) : null;
          next?.catch(() => {}); // said when its turn comes
          if (reading === mine) await played(sound, mine);
          left.shift();
        }
      } catch (error) {
        console.warn("the server does not read on, the browser does", error);
        left = left.flatMap(pieces);
      }
    }
    if (reading !== mine) return;
    if (left.length && speech?.getVoices().length) speak(left, languageOf(words), mine);
    else stop();
  };

  const ANSWER = '[data-step-type="assistant_message"]';
  const offer = (icon) => {
    const copy = icon.parentElement;
    const row = copy.parentElement;
    if (!offered() || row.querySelector(":scope > .k-aloud") || copy.matches(".k-button, .message-content *")) return;
    const button = K.make("button", { type: "button", class: "k-aloud" });
    button.addEventListener("click", () => (reading?.button === button ? stop() : read(button)));
    row.append(button);
  };
  const offerAll = () => {
    for (const icon of document.querySelectorAll(`${ANSWER} button > .lucide-copy`)) offer(icon);
  };
  K.whenDrawn(`${ANSWER} button > .lucide-copy`, offer);
  K.whenDrawn(".k-aloud", (button) => face(button, reading?.button === button ? "stop" : "speaker")); // in the page's language
  K.eachFrame(() => reading?.button.isConnected === false && stop()); // the conversation was left
  window.addEventListener("message", ({ data, source }) => {
    if (source !== window || data?.konsilium_speech === undefined) return;
    served = data.konsilium_speech;
    offerAll();
  });
  speech?.addEventListener?.("voiceschanged", offerAll);
  window.addEventListener("pagehide", stop);
})();
