// Small comforts; every page works without them.
"use strict";

// A form is sent once, however often its button is pressed.
for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}
// A page that comes back from the history may be sent again.
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

for (const button of document.querySelectorAll(".reveal")) {
  const field = document.getElementById(button.getAttribute("aria-controls"));
  const show = { label: button.getAttribute("aria-label"), text: button.textContent };
  const hide = { label: button.dataset.hide, text: button.dataset.hideShort };
  const turn = (visible) => {
    field.type = visible ? "text" : "password";
    const next = visible ? hide : show;
    button.setAttribute("aria-label", next.label);
    button.textContent = next.text;
  };
  button.addEventListener("click", () => turn(field.type === "password"));
  // Browsers keep what was typed into fields of type text.
  field.form.addEventListener("submit", () => turn(false));
  button.hidden = false;
}
