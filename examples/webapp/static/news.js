// Polls the stage of the verification at growing intervals, and reloads the page when the stage changes
// or the visitor is no longer signed in. It also shows times in the visitor's time zone. Without this
// script, the page has the link "Check now" and times in UTC.
(() => {
  "use strict";
  for (const time of document.querySelectorAll("time")) {
    time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  }
  const shown = document.querySelector("[data-waits]").dataset.stage;
  let delay = 1500;
  const poll = async () => {
    if (!document.hidden) {
      try {
        const response = await fetch("/verification/state", { redirect: "manual" });
        if (response.type === "opaqueredirect" || (response.ok && (await response.text()) !== shown)) {
          location.reload();
          return;
        }
      } catch {
        // No connection: the next poll may succeed.
      }
    }
    delay = Math.min(delay * 1.3, 30000);
    setTimeout(poll, delay);
  };
  setTimeout(poll, delay);
})();
