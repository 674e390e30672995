  "use strict";
  document.documentElement.className = "js"; // shows the buttons that need scripts

  // navigator.clipboard exists only on localhost and with HTTPS.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    let copied = true;
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(source.textContent).catch(() => { copied = false; });
    } else {
      getSelection().selectAllChildren(source);
      copied = document.execCommand("copy");
    }
    button.firstChild.data = copied ? "Copied" : "Failed";
    setTimeout(() => { button.firstChild.data = "Copy"; }, 1500);
  });

  // Show new sessions and requests, but do not replace what is being read with the keyboard or selected.
  async function refresh() {
    const response = await fetch(location.href);
    if (!response.ok) return;
    const page = await response.text();
    // The head has a style with another nonce, which this page's policy blocks.
    const fresh = new DOMParser().parseFromString(page.slice(page.indexOf("<body>")), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(part.id);
      const busy = part.contains(document.activeElement) || (!getSelection().isCollapsed && part.contains(getSelection().anchorNode));
      if (next && !busy && next.innerHTML !== part.innerHTML) part.replaceChildren(...next.childNodes);
    }
  }
  setInterval(() => { if (!document.hidden) refresh().catch(() => {}); }, 1000);
