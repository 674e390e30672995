// Shows text in place of images that fail to load. Opening such an image shows the reason.
(() => {
  "use strict";
  for (const image of document.querySelectorAll("figure img")) {
    const replace = () => {
      const text = document.createElement("span");
      text.className = "missing";
      text.textContent = `${image.alt}: not available`;
      image.replaceWith(text);
    };
    if (image.complete && image.naturalWidth === 0) replace();
    else image.addEventListener("error", replace);
  }
})();
