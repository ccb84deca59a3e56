login-title = Sign in
login-again-title = Confirm it’s you
login-to-app = to continue to { $app }
login-to-account = to your account
login-remember = Keep me signed in
login-remember-hint = Only on a device that is yours
login-submit = Sign in

choose-title = Choose an account
choose-continue = Continue as { $person }
choose-other = Use another account
