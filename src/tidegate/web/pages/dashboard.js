// Keeps the dashboard current. Without it the page is whole, and as old as it says.
"use strict";

(() => {
  const LISTED_MAX = 100;
  const list = document.getElementById("decisions");
  const live = document.getElementById("live");
  let refreshing = false;

  const say = (words) => {
    live.hidden = false;
    live.textContent = words;
  };

  const piece = (name, className, text) => {
    const made = document.createElement(name);
    made.className = className;
    made.textContent = text;
    return made;
  };

  // Somebody is at work in it.
  const busy = (part) => part.contains(document.activeElement) || part.querySelector("details[open] form");

  // The server renders; here its parts are put in place of the old ones. Nothing in it runs: see the policy.
  const refresh = async () => {
    if (refreshing || document.hidden) return;
    refreshing = true;
    try {
      const answer = await fetch("/", { headers: { Accept: "text/html" }, cache: "no-store" });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.title = fresh.title;
      for (const old of document.querySelectorAll("[data-part]")) {
        const made = fresh.querySelector(`[data-part="${old.dataset.part}"]`);
        if (made && made.innerHTML !== old.innerHTML && !busy(old)) {
          old.replaceWith(document.adoptNode(made));
        }
      }
    } catch {
      say("The gateway does not answer: what is shown is not current.");
    } finally {
      refreshing = false;
    }
  };

  const show = (one) => {
    const row = document.createElement("li");
    row.append(piece("span", "stamp", one.at), " ", piece("span", `badge ${one.tone}`, one.kind), " ");
    if (one.drill) row.append(piece("span", "badge clear", `drill ${one.drill}`), " ");
    row.append(piece("span", "text", one.text));
    list.prepend(row);
    while (list.children.length > LISTED_MAX) list.lastElementChild.remove();
  };

  const stream = new EventSource(`/events?after=${list.dataset.last}`);
  stream.addEventListener("open", () => say("Updates itself."));
  stream.addEventListener("error", () => say("The stream is interrupted: what is shown may not be current."));
  stream.addEventListener("decision", (event) => show(JSON.parse(event.data)));
  stream.addEventListener("tick", refresh);
})();
