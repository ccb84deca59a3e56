// After a sign-out apps are told in hidden frames. When all of them are done nobody need wait any longer, nor for one that hangs:
// browsers begin to count a page's own refresh, which works without this script, only when its frames are there.
"use strict";

const leave = document.getElementById("leave");
const go = () => location.replace(leave.href);
addEventListener("load", go);
setTimeout(go, 3000);
