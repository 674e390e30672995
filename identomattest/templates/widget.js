  "use strict";
  // Tell an embedding page that the session has ended. The target origin is "*" because the
  // message has no other content.
  if (document.getElementById("parent-notified") && window.parent !== window) {
    window.parent.postMessage("DONE", "*");
    document.getElementById("parent-notified").hidden = false;
    document.getElementById("not-notified").hidden = true;
  }

  // Show and hide questions that depend on other answers. The server also checks the conditions.
  const fields = document.querySelectorAll("[data-when]");
  function answers(name) {
    return [...document.getElementsByName(name)].flatMap((e) =>
      e.closest("[hidden]") ? [] :
      e.type === "radio" || e.type === "checkbox" ? (e.checked ? [e.value] : []) :
      e.selectedOptions ? [...e.selectedOptions].map((o) => o.value) : [e.value.trim()]);
  }
  function update() {
    for (const field of fields) {
      field.hidden = !answers(field.dataset.when).includes(field.dataset.is);
      field.querySelector("[name=shown]").disabled = field.hidden;
    }
  }
  document.addEventListener("input", update);
  if (fields.length) update();
