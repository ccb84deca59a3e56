// After a sign-out apps are told in hidden frames. When all of them are done nobody need wait any longer; the page goes on without
// this script too.
"use strict";

const leave = document.getElementById("leave");
addEventListener("load", () => location.replace(leave.href));
