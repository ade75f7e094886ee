import { useState } from "react";
import { Play } from "lucide-react";
import { useChatData } from "@chainlit/react-client";

const { keep, words } = window.Konsilium;

const TEXTS = {
  ru: { broken: "Совет не закончил.", resume: "Продолжить с того, что готово" },
  uk: { broken: "Рада не закінчила.", resume: "Продовжити з того, що готове" },
  en: { broken: "The council was broken off.", resume: "Go on from what is done" },
};

function CouncilState({ data, callAction }) {
  const { lang, turn_id: turnId, outcome, done } = data;
  const text = words(lang, TEXTS);
  const { loading } = useChatData();
  const [asked, setAsked] = useState(false);
  if (!["stopped", "interrupted", "failed"].includes(outcome) || done === 0) return null;
  const resume = async () => {
    setAsked(true);
    try {
      await callAction({ name: "council_resume", payload: { turn_id: turnId } });
    } finally {
      setAsked(false);
    }
  };
  return (
    <div data-testid="council-state" className="k-panel" lang={lang}>
      <div className="k-row-between k-middle">
        <span className="k-muted">{text.broken}</span>
        <button type="button" className="k-button" disabled={loading || asked} onClick={resume}>
          <Play aria-hidden="true" />{text.resume}
        </button>
      </div>
    </div>
  );
}

const Kept = keep("CouncilState", CouncilState);
export default <Kept data={props} callAction={callAction} />;
