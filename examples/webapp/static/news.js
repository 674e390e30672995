// Asks where the verification stands, less and less often, and loads the page anew when that
// is not what it shows, or when the sign-in has ended. Without this script there is the link
// "Check now", and times are in UTC.
(() => {
  "use strict";
  for (const time of document.querySelectorAll("time")) {
    time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  }
  const shown = document.querySelector("[data-waits]").dataset.stage;
  let pause = 1500;
  const look = async () => {
    if (!document.hidden) {
      try {
        const reply = await fetch("/verification/state", { redirect: "manual" });
        if (reply.type === "opaqueredirect" || (reply.ok && (await reply.text()) !== shown)) {
          location.reload();
          return;
        }
      } catch {
        // No connection: the next look may tell.
      }
    }
    pause = Math.min(pause * 1.3, 30000);
    setTimeout(look, pause);
  };
  setTimeout(look, pause);
})();
