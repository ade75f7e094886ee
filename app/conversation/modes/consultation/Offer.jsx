import { useState } from "react";
import { Scale, Trophy } from "lucide-react";
import { useChatData } from "@chainlit/react-client";

const { keep, money, plural, short, words } = window.Konsilium;

const TEXTS = {
  ru: {
    council: "Вопрос взвешивает варианты. Совет:",
    best_of: "Вопрос взвешивает варианты. Несколько ответов:",
    take: { council: "Созвать совет", best_of: "Лучший из нескольких" },
    calls: (count) => `${count} ${plural("ru", count, ["вызов", "вызова", "вызовов"])}`,
    tokens: (count) => `≈ ${count} токенов`,
  },
  uk: {
    council: "Запитання зважує варіанти. Рада:",
    best_of: "Запитання зважує варіанти. Кілька відповідей:",
    take: { council: "Скликати раду", best_of: "Найкраща з кількох" },
    calls: (count) => `${count} ${plural("uk", count, ["виклик", "виклики", "викликів"])}`,
    tokens: (count) => `≈ ${count} токенів`,
  },
  en: {
    council: "The question weighs options. A council:",
    best_of: "The question weighs options. Several answers:",
    take: { council: "Call the council", best_of: "Best of several" },
    calls: (count) => `${count} ${plural("en", count, ["call", "calls"])}`,
    tokens: (count) => `≈ ${count} tokens`,
  },
};

/** Every currency's sum; nothing to pay on one's own machines; a dash where a price is unknown. */
function price(lang, sums) {
  if (!sums) return "—";
  const parts = Object.entries(sums).map(([currency, amount]) => money(lang, amount, currency));
  return parts.length ? `≈ ${parts.join(" + ")}` : money(lang, 0);
}

function Offer({ data, callAction }) {
  const { lang, turn_id: turnId, mode, calls, tokens, money: sums } = data;
  const text = words(lang, TEXTS);
  const { loading } = useChatData();
  const [asked, setAsked] = useState(false);
  const Icon = mode === "council" ? Scale : Trophy;
  const take = async () => {
    setAsked(true);
    try {
      await callAction({ name: "offer", payload: { turn_id: turnId, mode } });
    } finally {
      setAsked(false);
    }
  };
  return (
    <div data-testid="offer" className="k-row-between k-offer" lang={lang}>
      <span className="k-muted k-small">
        {text[mode]} {[text.calls(calls), text.tokens(short(tokens)), price(lang, sums)].join(" · ")}
      </span>
      <button type="button" className="k-button" disabled={loading || asked} onClick={take}>
        <Icon aria-hidden="true" />{text.take[mode]}
      </button>
    </div>
  );
}

const Kept = keep("Offer", Offer);
export default <Kept data={props} callAction={callAction} />;
