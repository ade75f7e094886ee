/* Where the app cannot be reached, its page says so, in place of the browser's own, and comes back as soon as
   it can. Nothing else is kept or answered here: what the app shows comes from the app. */
const PAGE = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Konsilium</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; background: #faf9f4; color: #23211c }
body { min-height: 90vh; margin: 0; padding: 1.5rem; display: grid; place-content: center; text-align: center }
h1 { font-size: 1.375rem; margin: 0 }
p { margin: .5rem 0 1.5rem; max-width: 30rem }
button { justify-self: center; font: inherit; padding: .6rem 1.5rem; border: 0; border-radius: .75rem; background: #1b6158; color: #fff; cursor: pointer }
@media (prefers-color-scheme: dark) { :root { background: #181b1b; color: #eae7dd } button { background: #7ac9bb; color: #10211e } }
</style></head>
<body><h1 role="status"></h1><p></p><button type="button"></button>
<script>
const TEXTS = {
  ru: ["Konsilium не отвечает", "Он выключен, перезапускается, или к нему нет связи. Страница откроется сама, как только он ответит.", "Повторить"],
  uk: ["Konsilium не відповідає", "Його вимкнено, він перезапускається або до нього немає зв’язку. Сторінка відкриється сама, щойно він відповість.", "Повторити"],
  en: ["Konsilium does not answer", "It is switched off, is restarting, or cannot be reached. The page opens by itself as soon as it answers.", "Try again"],
};
const known = (navigator.languages || []).map((tag) => tag.slice(0, 2)).find((tag) => tag in TEXTS) || "en";
document.documentElement.lang = known;
["h1", "p", "button"].forEach((name, at) => (document.querySelector(name).textContent = TEXTS[known][at]));
const again = () => fetch(location.href).then(() => location.reload(), () => {});
document.querySelector("button").addEventListener("click", again);
addEventListener("online", again);
setInterval(again, 3000);
</script></body></html>`;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => {
  event.waitUntil(Promise.all([self.clients.claim(), self.registration.navigationPreload?.enable()]));
});
self.addEventListener("fetch", (event) => {
  const { request, preloadResponse } = event;
  if (request.mode !== "navigate" || request.method !== "GET") return;
  const unreached = () => new Response(PAGE, { status: 503, headers: { "content-type": "text/html; charset=utf-8" } });
  const answer = Promise.resolve(preloadResponse).then((begun) => begun ?? fetch(request));
  event.respondWith(answer.catch(unreached));
});
