// Says in words that an image did not come. Opening it tells why.
(() => {
  "use strict";
  for (const image of document.querySelectorAll("figure img")) {
    const say = () => {
      const words = document.createElement("span");
      words.className = "missing";
      words.textContent = `${image.alt}: not available`;
      image.replaceWith(words);
    };
    if (image.complete && image.naturalWidth === 0) say();
    else image.addEventListener("error", say);
  }
})();
