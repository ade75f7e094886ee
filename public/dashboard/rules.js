/* The rules of the answer cache, for administrators: read when opened, sent when saved. */
(() => {
  "use strict";

  const { admin, texts } = JSON.parse(document.getElementById("facts").textContent);
  const place = document.getElementById("rules");
  const form = document.getElementById("rules-form");
  const said = document.getElementById("rules-said");
  const { shared, aliases, offerFrom, days } = form.elements;
  place.hidden = !admin;

  const send = async (method, body) => {
    const answer = await fetch("api/answer-cache", {
      method,
      headers: body ? { "content-type": "application/json" } : {},
      body: body && JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`answer-cache: ${answer.status}`);
    return answer.json();
  };

  /** Does it with the form at rest, and says how it went. */
  const during = async (work) => {
    said.textContent = "";
    form.inert = true;
    try {
      said.textContent = await work();
    } catch (error) {
      console.error(error);
      said.textContent = texts.unsaved;
    }
    form.inert = false;
  };

  const fill = (rules) => {
    shared.checked = rules.shared;
    aliases.value = rules.aliases;
    offerFrom.value = rules.offerFrom;
    days.value = rules.days;
  };

  place.addEventListener("toggle", () => {
    if (place.open) during(async () => (fill(await send("GET")), ""));
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const rules = {
      shared: shared.checked,
      aliases: aliases.value,
      offerFrom: offerFrom.valueAsNumber,
      days: days.valueAsNumber,
    };
    during(async () => (fill(await send("PATCH", rules)), texts.rules_saved));
  });
  document.getElementById("purge").addEventListener("click", () => {
    if (confirm(texts.purge_sure)) during(async () => texts.purged + (await send("DELETE")).deleted);
  });
})();
