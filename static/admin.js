// Small comforts of the admin's room; every page works without them.
"use strict";

for (const button of document.querySelectorAll(".copy")) {
  if (!navigator.clipboard) continue;
  const label = button.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = label; }, 2000);
  });
  button.hidden = false;
}
