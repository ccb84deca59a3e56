logout-title = Sign out?
logout-asked-by = { $app } asks to sign you out
logout-what = This ends your session with { $brand } in this browser, and the access that apps got through it.
logout-confirm = Sign out
logout-stay = Stay signed in

leaving-title = You are signed out
leaving-what = Your apps are being told. You will be taken back in a moment.

signed-out-title = You are signed out
signed-out-what = Your session in this browser has ended. On a shared computer, close the browser as well.
signed-out-again = Sign in again
