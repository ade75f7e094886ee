import { useState } from "react";
import { History, RotateCw, Zap } from "lucide-react";
import { useChatData, useChatMessages } from "@chainlit/react-client";

const { keep, known, money, newest, number, plural, shown, words } = window.Konsilium;

const TEXTS = {
  ru: {
    same: "Из кеша: этот вопрос уже задавали",
    near: (asked) => `Из кеша: модель сочла, что это тот же вопрос: «${asked}»`,
    taken: (asked) => `Из кеша: ответ на вопрос «${asked}»`,
    saved: (count, text) => `сэкономлено ${text} ${plural("ru", count, ["токен", "токена", "токенов"])}`,
    regenerate: "Спросить модель",
    similar: (asked) => `Похожий вопрос уже был: «${asked}»`,
    use: "Показать тот ответ",
  },
  uk: {
    same: "З кешу: це запитання вже ставили",
    near: (asked) => `З кешу: модель вважає, що це те саме запитання: «${asked}»`,
    taken: (asked) => `З кешу: відповідь на запитання «${asked}»`,
    saved: (count, text) => `заощаджено ${text} ${plural("uk", count, ["токен", "токени", "токенів"])}`,
    regenerate: "Запитати модель",
    similar: (asked) => `Схоже запитання вже було: «${asked}»`,
    use: "Показати ту відповідь",
  },
  en: {
    same: "From cache: this was asked before",
    near: (asked) => `From cache: a model found it to be the same question as “${asked}”`,
    taken: (asked) => `From cache: the answer to “${asked}”`,
    saved: (count, text) => `saved ${text} ${plural("en", count, ["token", "tokens"])}`,
    regenerate: "Ask the model",
    similar: (asked) => `A similar question was asked: “${asked}”`,
    use: "Show that answer",
  },
};

const LOCALES = { ru: "ru-RU", uk: "uk-UA", en: "en-GB" };

/** "3 января", with the year where it is another one. */
function day(lang, at) {
  const date = new Date(at);
  const year = date.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
  return date.toLocaleDateString(LOCALES[lang] ?? LOCALES.en, { day: "numeric", month: "long", ...year });
}

function CacheNote({ data, callAction }) {
  const { lang, kind, asked, at, saved_tokens: saved, saved_rub: savedRub, turn_id: turnId, entry_id: entryId } = data;
  const text = words(lang, TEXTS);
  const { messages } = useChatMessages();
  const { loading } = useChatData();
  const [busy, setBusy] = useState(false);
  const suggestion = kind === "suggestion";
  const ask = async () => {
    setBusy(true);
    try {
      const payload = { turn_id: turnId, entry_id: entryId, picked: shown() };
      await callAction({ name: suggestion ? "use_cached" : "regenerate", payload });
    } finally {
      setBusy(false);
    }
  };
  const said = kind === "exact" ? text.same : text[kind === "near" ? "near" : "taken"](asked);
  const spared = [
    known(saved) && saved > 0 && text.saved(saved, number(lang, saved)),
    Number(savedRub) > 0 && money(lang, savedRub),
  ].filter(Boolean).join(", ");
  const line = suggestion
    ? text.similar(asked)
    : [[said, at && day(lang, at)].filter(Boolean).join(", "), spared].filter(Boolean).join("; ");
  const Icon = suggestion ? History : Zap;
  return (
    <section data-testid="cache" className="k-note k-line" lang={lang}>
      <span className="k-note-text"><Icon aria-hidden="true" /><span>{line}</span></span>
      {newest(messages, turnId) && (
        <button type="button" className="k-button" onClick={ask} disabled={busy || (loading && !suggestion)}>
          {!suggestion && <RotateCw aria-hidden="true" className={busy ? "animate-spin" : ""} />}
          {suggestion ? text.use : text.regenerate}
        </button>
      )}
    </section>
  );
}

const Kept = keep("CacheNote", CacheNote);
export default <Kept data={props} callAction={callAction} />;
