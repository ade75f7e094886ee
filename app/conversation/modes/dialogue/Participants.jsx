import { useEffect, useRef, useState } from "react";
import { Check, ChevronDown, ChevronUp, Plus, Save, Trash2 } from "lucide-react";
import { useChatMessages } from "@chainlit/react-client";

const { keep, words } = window.Konsilium;

const TEXTS = {
  ru: {
    title: "Участники диалога",
    council: { title: "Участники совета", hint: "От двух до шести: отвечают независимо и оценивают друг друга. Без списка подбираются сами.", auto: "Подбирать автоматически", folded: "подбираются сами" },
    compare: { title: "Кого сравнить", hint: "От двух до четырёх: отвечают рядом. Без списка модели подбираются сами.", auto: "Подбирать автоматически", folded: "подбираются сами", add: "Добавить", prompt: "Наставление", promptHint: "Например: отвечай коротко" },
    consultation: { title: "Специалисты", hint: "От одного до четырёх: отвечают на каждый вопрос. Без списка координатор подбирает их сам, когда они нужны.", auto: "Подбирать автоматически", folded: "подбираются сами", add: "Добавить специалиста", promptHint: "Например: ты юрист, знаешь трудовое право" },
    hint: "От двух до четырёх. Говорят по очереди, каждый под своим именем.",
    presets: "Готовые составы",
    own: "Свой состав",
    name: "Имя",
    model: "Модель",
    same: "Как в разговоре",
    prompt: "Кто это и чего добивается",
    promptHint: "Например: ты физик-скептик, требуешь доказательств",
    add: "Добавить участника",
    seat: "Посадить помощника",
    remove: (name) => `Убрать: ${name}`,
   
    apply: "Применить",
    save: "Сохранить состав",
    saveAs: "Название состава",
    drop: "Удалить состав",
    twice: "Имена участников должны различаться",
    empty: "У каждого участника должно быть имя",
  },
  uk: {
    title: "Учасники діалогу",
    council: { title: "Учасники ради", hint: "Від двох до шести: відповідають незалежно й оцінюють одне одного. Без списку добираються самі.", auto: "Добирати автоматично", folded: "добираються самі" },
    compare: { title: "Кого порівняти", hint: "Від двох до чотирьох: відповідають поруч. Без списку моделі добираються самі.", auto: "Добирати автоматично", folded: "добираються самі", add: "Додати", prompt: "Настанова", promptHint: "Наприклад: відповідай коротко" },
    consultation: { title: "Фахівці", hint: "Від одного до чотирьох: відповідають на кожне запитання. Без списку координатор добирає їх сам, коли вони потрібні.", auto: "Добирати автоматично", folded: "добираються самі", add: "Додати фахівця", promptHint: "Наприклад: ти юрист, знаєш трудове право" },
    hint: "Від двох до чотирьох. Говорять по черзі, кожен під своїм іменем.",
    presets: "Готові склади",
    own: "Власний склад",
    name: "Ім'я",
    model: "Модель",
    same: "Як у розмові",
    prompt: "Хто це й чого прагне",
    promptHint: "Наприклад: ти фізик-скептик, вимагаєш доказів",
    add: "Додати учасника",
    seat: "Посадити помічника",
    remove: (name) => `Прибрати: ${name}`,
   
    apply: "Застосувати",
    save: "Зберегти склад",
    saveAs: "Назва складу",
    drop: "Видалити склад",
    twice: "Імена учасників мають різнитися",
    empty: "Кожен учасник повинен мати ім'я",
  },
  en: {
    title: "Who takes part",
    council: { title: "Members of the council", hint: "Two to six: they answer independently and rank each other. Without a list they are picked for you.", auto: "Pick for me", folded: "picked for you" },
    compare: { title: "Whom to compare", hint: "Two to four: they answer side by side. Without a list the models are picked for you.", auto: "Pick for me", folded: "picked for you", add: "Add one", prompt: "Instruction", promptHint: "For example: answer in short" },
    consultation: { title: "Specialists", hint: "One to four: they answer each question. Without a list the coordinator chooses them, where they are needed.", auto: "Pick for me", folded: "picked for you", add: "Add a specialist", promptHint: "For example: you are a lawyer, you know labour law" },
    hint: "Two to four. They speak in turn, each under its own name.",
    presets: "Presets",
    own: "Your own",
    name: "Name",
    model: "Model",
    same: "As in the conversation",
    prompt: "Who they are and what they want",
    promptHint: "For example: you are a sceptical physicist, you ask for proof",
    add: "Add a participant",
    seat: "Seat an assistant",
    remove: (name) => `Remove: ${name}`,
   
    apply: "Apply",
    save: "Save as a preset",
    saveAs: "Name of the preset",
    drop: "Delete the preset",
    twice: "The names must differ",
    empty: "Every participant needs a name",
  },
};

/** Ids of forms that were folded: the page makes a form anew when its address changes. */
const FOLDED = keep("Participants folded", new Set());

function complaint(text, participants) {
  const names = participants.map((one) => one.name.trim().toLowerCase());
  if (names.some((name) => !name)) return text.empty;
  return new Set(names).size < names.length ? text.twice : null;
}

function Participant({ text, called, number, one, models, removable, change, remove }) {
  const set = (field) => (event) => change({ ...one, [field]: event.target.value });
  const title = one.name.trim() || called;
  return (
    <fieldset className="k-participant">
      <legend className="sr-only">{called}</legend>
      <div className="k-participant-head">
        <img src={`/avatars/${encodeURIComponent(title)}?number=${number - 1}`} alt="" width="26" height="26" />
        <label className="k-label">{text.name}
          <input className="k-field" type="text" maxLength={40} value={one.name} onChange={set("name")} />
        </label>
        <label className="k-label">{text.model}
          <select className="k-field k-models-choice" value={one.model ?? ""} onChange={set("model")}>
            <option value="">{text.same}</option>
            {one.model && !models.some((model) => model.value === one.model) && (
              <option value={one.model}>{one.model}</option>
            )}
            {models.map((model) => <option key={model.value} value={model.value}>{model.label ?? model.value}</option>)}
          </select>
        </label>
        <button type="button" className="k-button k-plain k-danger" disabled={!removable} onClick={remove}
          aria-label={text.remove(title)} title={text.remove(title)}>
          <Trash2 aria-hidden="true" />
        </button>
      </div>
      <label className="k-label">{text.prompt}
        <textarea className="k-field" rows={2} value={one.system ?? ""} maxLength={8000} placeholder={text.promptHint}
          onChange={set("system")} />
      </label>
    </fieldset>
  );
}

function Participants({ data, callAction }) {
  const { lang, models = [], presets = [], assistants = [], names = [], mode, most = 4, least = 2 } = data;
  const texts = words(lang, TEXTS);
  const text = { ...texts, ...texts[mode] };
  const optional = Boolean(texts[mode]); // who takes part may be chosen by itself
  const blank = (number) => ({ name: names[number - 1] ?? "", model: "", system: "" });
  const named = data.participants?.length > 0;
  const given = named ? data.participants : Array.from({ length: least }, (_, number) => blank(number + 1));
  const [participants, setParticipants] = useState(given);
  const [preset, setPreset] = useState("");
  const [name, setName] = useState("");
  const [auto, setAuto] = useState(optional && !named);
  const [unfolded, setUnfolded] = useState((data.unfolded ?? true) && !(optional && !named) && !FOLDED.has(data.id));
  const edited = useRef(false);
  const fold = useRef(null); // has the focus once what was pressed is folded away
  const { messages } = useChatMessages();
  const questions = messages.filter((message) => message.type === "user_message").length;
  const before = useRef(questions);
  const problem = complaint(text, participants);

  const unfold = (shown) => {
    setUnfolded(shown);
    if (shown) FOLDED.delete(data.id);
    else FOLDED.add(data.id);
  };
  const edit = (next) => {
    setParticipants(next);
    edited.current = true;
  };
  const choose = (event) => {
    const found = presets.find((one) => one.name === event.target.value);
    setPreset(event.target.value);
    if (found) edit(found.participants);
  };
  /* An assistant takes the first seat that nobody has touched. */
  const free = participants.findIndex((one, at) => one.name === names[at] && !one.model && !one.system);
  const seat = (assistant) =>
    edit(free === -1 ? [...participants, assistant] : participants.map((one, at) => (at === free ? assistant : one)));
  const automatic = async () => {
    edited.current = false;
    setAuto(true);
    fold.current.focus();
    unfold(false);
    await callAction({ name: "participants", payload: { mode, participants: [] } });
  };
  const take = async () => {
    edited.current = false;
    setAuto(false);
    await callAction({ name: "participants", payload: { mode, participants } });
  };
  const apply = async (event) => {
    event.preventDefault();
    await take();
    fold.current?.focus();
    unfold(false);
  };
  /* Whoever goes on to the question has said who takes part: nothing typed here is lost. */
  const leave = (event) => {
    if (edited.current && !problem && !event.currentTarget.contains(event.relatedTarget)) take();
  };
  useEffect(() => {
    if (questions > before.current) unfold(false);
    before.current = questions;
  }, [questions]);
  const save = async () => {
    await callAction({ name: "preset_save", payload: { mode, name: name.trim(), participants } });
    setPreset(name.trim());
    setName("");
  };
  const drop = async () => {
    await callAction({ name: "preset_delete", payload: { name: preset } });
    setPreset("");
  };
  const deletable = presets.some((one) => one.name === preset && !one.built_in);

  return (
    <form data-testid="participants" className="k-panel k-participants" lang={lang} onSubmit={apply}
      onBlur={leave} aria-label={text.title}>
      <button ref={fold} type="button" className="k-fold" aria-expanded={unfolded} onClick={() => unfold(!unfolded)}>
        <span>
          <span className="k-strong">{text.title}</span>
          {!unfolded && (
            <span className="k-muted k-small">{auto ? text.folded : participants.map((one) => one.name).join(", ")}</span>
          )}
        </span>
        {unfolded ? <ChevronUp aria-hidden="true" /> : <ChevronDown aria-hidden="true" />}
      </button>
      {unfolded && <>
      <p className="k-muted k-small">{text.hint}</p>
      {presets.length > 0 && (
        <div className="k-inline">
          <label className="k-label">{text.presets}
            <select className="k-field" value={preset} onChange={choose}>
              <option value="">{text.own}</option>
              {presets.map((one) => <option key={one.name} value={one.name}>{one.label ?? one.name}</option>)}
            </select>
          </label>
          {deletable && (
            <button type="button" className="k-button k-plain k-danger" onClick={drop} aria-label={text.drop} title={text.drop}>
              <Trash2 aria-hidden="true" />
            </button>
          )}
        </div>
      )}
      {participants.map((one, index) => (
        <Participant key={index} text={text} called={names[index]} number={index + 1} one={one} models={models}
          removable={participants.length > least}
          change={(next) => edit(participants.map((old, at) => (at === index ? next : old)))}
          remove={() => edit(participants.filter((_, at) => at !== index))} />
      ))}
      <div className="k-actions">
        <button type="button" className="k-button" disabled={participants.length >= most}
          onClick={() => edit([...participants, blank(participants.length + 1)])}>
          <Plus aria-hidden="true" />{text.add}
        </button>
        {assistants.length > 0 && (
          <select className="k-field" value="" disabled={participants.length >= most && free === -1} aria-label={text.seat}
            onChange={(event) => seat(assistants[Number(event.target.value)])}>
            <option value="">{text.seat}</option>
            {assistants.map((one, index) => <option key={index} value={index}>{one.name}</option>)}
          </select>
        )}
        {optional && (
          <button type="button" className="k-button k-plain" onClick={automatic}>{text.auto}</button>
        )}
      </div>
      <div className="k-row-between k-bottom">
        <span className="k-inline">
          <input className="k-field" type="text" maxLength={60} value={name} placeholder={text.saveAs}
            aria-label={text.saveAs} onChange={(event) => setName(event.target.value)} />
          <button type="button" className="k-button" disabled={!name.trim() || !!problem} onClick={save}>
            <Save aria-hidden="true" />{text.save}
          </button>
        </span>
        <button type="submit" className="k-button k-primary" disabled={!!problem}>
          <Check aria-hidden="true" />{text.apply}
        </button>
      </div>
      {problem && <p className="k-bad k-small" role="alert">{problem}</p>}
      </>}
    </form>
  );
}

const Kept = keep("Participants", Participants);
/* What was chosen for one mode is nothing of the next one's: the page may draw both in one go. */
export default <Kept key={props.mode} data={props} callAction={callAction} />;
