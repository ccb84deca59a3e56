at-app-title = You are not signed in
at-app-what = The sign-in did not come to its end: it took too long, it was given up, or it began in another browser. Nothing is lost.
at-app-again = Try again
