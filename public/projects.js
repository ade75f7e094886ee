/* Projects: folders above the list of threads, which shows what is in the open one; a thread is moved by its
   menu; and the line that says in which project the open thread is. */
(() => {
  "use strict";

  const TEXTS = {
    ru: {
      projects: "Проекты", outside: "Вне проектов", create: "Новый проект", name: "Название проекта", add: "Создать",
      begin: "Новый разговор в проекте «{name}»", settings: "Настройки проекта «{name}»", move: "Проект разговора",
      drop: "Отмена", taken: "Такое название не подходит, или оно уже есть.", failed: "Не получилось. Попробуйте ещё раз.",
      moved: "Разговор в проекте «{name}»", out: "Разговор вне проектов", only: "Только в проекте «{name}»",
    },
    uk: {
      projects: "Проєкти", outside: "Поза проєктами", create: "Новий проєкт", name: "Назва проєкту", add: "Створити",
      begin: "Нова розмова в проєкті «{name}»", settings: "Налаштування проєкту «{name}»", move: "Проєкт розмови",
      drop: "Скасувати", taken: "Така назва не підходить, або вона вже є.", failed: "Не вийшло. Спробуйте ще раз.",
      moved: "Розмова в проєкті «{name}»", out: "Розмова поза проєктами", only: "Лише в проєкті «{name}»",
    },
    en: {
      projects: "Projects", outside: "Outside projects", create: "New project", name: "The project's name", add: "Create",
      begin: "New conversation in “{name}”", settings: "Settings of “{name}”", move: "Project of the conversation",
      drop: "Cancel", taken: "This name will not do, or you have it already.", failed: "It did not work. Try again.",
      moved: "The conversation is in “{name}”", out: "The conversation is in no project", only: "Only in “{name}”",
    },
  };
  const K = window.Konsilium;
  const text = () => K.words(document.documentElement.lang.slice(0, 2), TEXTS);
  const about = (words, name) => words.replace("{name}", name);
  const here = (path) => new URL(`${K.root}${path}`, window.location.origin).href;
  const { openThread } = K;
  const { make } = K;
  const iconed = (tag, attributes, icon, ...children) => make(tag, attributes, K.icon(icon), ...children);
  const post = (path, fields) => fetch(here(path), { method: "POST", body: new URLSearchParams(fields), redirect: "manual" });
  const done = (answer) => answer.ok || answer.type === "opaqueredirect";

  /* -- the folders: what they hold is in the list of threads, which is fetched for the open one (konsilium.js) -- */

  const FOLDER = "konsilium-project"; // of this tab, and after a reload of it
  const folder = () => sessionStorage.getItem(FOLDER) ?? "";
  let projects = [];
  let listed = folder(); // what the list of threads was fetched for
  let connected = false;
  const nav = make("nav", { id: "k-projects" });
  const row = ({ id, name }) => {
    const open = id === folder();
    const choose = iconed("button", { type: "button", class: "k-project", "aria-current": open ? "true" : null }, open ? "folder-open" : "folder", make("span", {}, name));
    choose.addEventListener("click", () => show(open ? "" : id));
    const begin = iconed("button", { title: about(text().begin, name), "aria-label": about(text().begin, name) }, "pencil-square");
    const form = make("form", { method: "post", action: here("library/begin") }, make("input", { type: "hidden", name: "id", value: id }), begin);
    const named = about(text().settings, name);
    const settings = iconed("a", { href: here(`library/projects/${id}`), title: named, "aria-label": named }, "sliders");
    return make("li", { "data-k-project": id }, choose, form, settings);
  };
  const draw = () => {
    const create = iconed("button", { type: "button", title: text().create, "aria-label": text().create }, "plus");
    create.addEventListener("click", () => ask());
    const head = make("div", { class: "k-projects-head" }, make("a", { href: here("library/projects") }, text().projects), create);
    const outside = iconed("button", { type: "button", class: "k-project", "aria-current": folder() ? null : "true" }, "outside", make("span", {}, text().outside));
    outside.addEventListener("click", () => show(""));
    const rows = projects.length ? [...projects.map(row), make("li", {}, outside)] : [];
    const controls = () => [...nav.querySelectorAll("a, button")];
    const focused = controls().indexOf(document.activeElement);
    nav.setAttribute("aria-label", text().projects);
    nav.replaceChildren(head, make("ul", {}, ...rows));
    controls()[focused]?.focus(); // who opens a folder by a key goes on from there
  };
  const show = (id) => {
    sessionStorage.setItem(FOLDER, id);
    listed = id;
    draw();
    K.tell({ event: "list", thread: openThread() ?? "" });
  };
  const settle = () => {
    if (connected && listed !== folder()) show(folder()); // before, nobody would hear of it
  };
  const read = async () => {
    const answer = await fetch(here("projects")).catch(() => null); // without an answer they stay as they were
    if (!answer?.ok || !answer.headers.get("content-type")?.includes("json")) return false;
    ({ projects } = await answer.json());
    if (folder() && !projects.some((one) => one.id === folder())) sessionStorage.setItem(FOLDER, "");
    draw();
    placeLine();
    settle();
    return true;
  };

  let asked = false;
  const readFirst = async () => { // once one is signed in: before, nobody has any
    if (asked) return;
    asked = true;
    asked = await read();
  };

  /* -- moving a thread: its menu (shelf.js) opens a dialog of all projects ------------------------------------- */

  const dialog = make("dialog", { id: "k-project-dialog", class: "k-dialog" });
  dialog.addEventListener("close", () => dialog.remove()); // a side bar that opens hides what it finds
  dialog.addEventListener("keydown", ({ key, isComposing }) => {
    if (key === "Escape" && !isComposing) dialog.close(); // a hint that stands over the page takes it from the browser
  });
  const moveTo = async (thread, project, undone = false) => {
    const before = folder(); // the list shows what is in it
    const answer = await post("projects/move", { thread, project }).catch(() => null);
    if (!answer || !done(answer)) return false;
    dialog.close();
    const name = projects.find((one) => one.id === project)?.name;
    const said = name ? about(text().moved, name) : text().out;
    if (!undone) window.postMessage({ konsilium_undo: { moved: { thread, project: before }, said } }, window.location.origin);
    return true;
  };
  const created = async (name) => {
    if (!done(await post("library/save", { kind: "projects", name }))) return null;
    await read();
    const wanted = name.trim().split(/\s+/).join(" ").toLocaleLowerCase();
    return projects.find((one) => one.name.toLocaleLowerCase() === wanted)?.id ?? null;
  };
  const ask = (thread = null) => {
    const title = make("h2", { id: "k-project-title" }, thread ? text().move : text().create);
    const problem = make("p", { role: "alert" });
    const choices = [...projects, { id: "", name: text().outside }].map(({ id, name }) => {
      const current = id === folder();
      const choice = iconed("button", { type: "button", class: "k-project", "aria-current": current ? "true" : null }, id ? "folder" : "outside", make("span", {}, name));
      choice.addEventListener("click", async () => {
        if (current) dialog.close();
        else if (!(await moveTo(thread, id))) problem.textContent = text().failed;
      });
      return choice;
    });
    const name = make("input", { class: "k-field", required: "", maxlength: "80", "aria-label": text().name, placeholder: text().name });
    const add = make("button", { class: "k-button k-primary" }, text().add);
    const form = make("form", { class: "k-project-form" }, name, add);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const id = await created(name.value).catch(() => null);
      if (!id) problem.textContent = text().taken;
      else if (!thread) window.location.assign(here(`library/projects/${id}`));
      else if (!(await moveTo(thread, id))) problem.textContent = text().failed;
    });
    const drop = make("button", { type: "button", class: "k-button k-plain" }, text().drop);
    drop.addEventListener("click", () => dialog.close());
    dialog.setAttribute("aria-labelledby", title.id);
    dialog.replaceChildren(title, ...(thread && projects.length ? choices : []), form, problem, drop);
    document.body.append(dialog);
    dialog.showModal();
    if (!thread || !projects.length) name.focus();
  };

  /* -- the open thread's project: a line above the composer, and its folder is opened -------------------------- */

  const line = iconed("a", { id: "k-project-line" }, "folder", make("span", {}));
  let inside = ["", "", ""];
  const placeLine = () => {
    const [thread, id] = inside;
    const name = projects.find((one) => one.id === id)?.name; // as it is called now; a deleted one is none
    const composer = document.querySelector("#message-composer");
    if (!name || thread !== openThread()) return line.remove();
    if (composer && !line.isConnected) composer.before(line);
    if (line.lastChild.textContent === name && line.href.endsWith(id)) return undefined;
    line.lastChild.textContent = name;
    line.href = here(`library/projects/${id}`);
    return undefined;
  };
  const follow = (told) => {
    const news = told.join() !== inside.join();
    inside = told.map((one) => one ?? "");
    connected = true;
    placeLine();
    if (news && inside[1] !== listed) show(inside[1]);
  };

  /* -- the search: in the open project alone, if one likes ------------------------------------------------------ */

  const only = make("input", { type: "checkbox", id: "k-only-project" });
  const onlyWords = make("span", {});
  const filter = make("label", { class: "k-only-project" }, only, onlyWords);
  only.addEventListener("change", () => {
    const field = document.querySelector("[cmdk-input]");
    if (!field) return;
    for (const value of [`${field.value} `, field.value]) { // what it looks for is looked for again
      Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, value);
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });
  const offerFilter = (field) => {
    const name = projects.find((one) => one.id === folder())?.name;
    if (!name || filter.previousElementSibling === field.parentElement) return;
    only.checked = false;
    onlyWords.textContent = about(text().only, name);
    field.parentElement.after(filter);
  };

  window.addEventListener("message", ({ data, source }) => {
    if (source !== window) return;
    if (data?.konsilium_project) follow(data.konsilium_project);
    if (data?.konsilium_prompts) {
      connected = true; // the first thing that each page is told
      readFirst();
      settle();
    }
    if (data?.konsilium_move) ask(data.konsilium_move);
    if (data?.konsilium_move_back) moveTo(data.konsilium_move_back.thread, data.konsilium_move_back.project, true);
    if (data?.konsilium_projects) read().then(() => K.tell({ event: "list", thread: openThread() ?? "" }));
  });
  K.whenDrawn('[data-sidebar="content"]', (content) => {
    if (nav.nextElementSibling !== content) content.before(nav);
    draw();
    readFirst();
  });
  K.whenDrawn("[cmdk-input]", offerFilter);
  K.eachFrame(placeLine);
  draw();
})();
