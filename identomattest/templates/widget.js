  "use strict";
  // Embedded, the page tells its parent that the session has ended. It sends nothing but
  // this word, so that any parent may hear it.
  if (document.getElementById("told") && window.parent !== window) {
    window.parent.postMessage("DONE", "*");
    document.getElementById("told").hidden = false;
    document.getElementById("untold").hidden = true;
  }

  // Questions appear and go with the answers of others. The server decides the same again.
  const fields = document.querySelectorAll("[data-when]");
  function given(name) {
    return [...document.getElementsByName(name)].flatMap((e) =>
      e.closest("[hidden]") ? [] :
      e.type === "radio" || e.type === "checkbox" ? (e.checked ? [e.value] : []) :
      e.selectedOptions ? [...e.selectedOptions].map((o) => o.value) : [e.value.trim()]);
  }
  function show() {
    for (const field of fields) {
      field.hidden = !given(field.dataset.when).includes(field.dataset.is);
      field.querySelector("[name=shown]").disabled = field.hidden;
    }
  }
  document.addEventListener("input", show);
  if (fields.length) show();
